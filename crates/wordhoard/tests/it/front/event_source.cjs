// npm's `eventsource` on the native stream: cut off after every third event, and by a server that goes away and comes
// back at the same address. The arguments are the URL of the stream and the number of events at which to say so.

const assert = require("node:assert/strict");
const { EventSource } = require("eventsource");

const [url, sayAt] = [process.argv[2], Number(process.argv[3])];
const seen = [];

/// What the connection gives is passed on until its third event is whole, and then no more.
async function cutting(input, init) {
  const response = await fetch(input, init);
  if (!response.body) return response;
  let events = 0;
  const reader = response.body.getReader();
  const body = new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      if (done) return controller.close();
      const text = Buffer.from(value).toString("latin1");
      let end = 0;
      for (let at = text.indexOf("\n\n"); at >= 0 && events < 3; at = text.indexOf("\n\n", at + 1)) {
        events += 1;
        end = at + 2;
      }
      if (events < 3) return controller.enqueue(value);
      controller.enqueue(Buffer.from(text.slice(0, end), "latin1"));
      controller.close();
      reader.cancel().catch(() => {});
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

// Its timer for the next try does not keep the process alive.
setInterval(() => {}, 1000);
const source = new EventSource(url, { fetch: cutting });
for (const name of ["request.created", "attempt.started", "token", "attempt.finished", "request.finished"]) {
  source.addEventListener(name, (event) => {
    seen.push(JSON.parse(event.data).seq);
    if (seen.length === sayAt) console.log("half-way");
    if (name === "request.finished") setTimeout(finish, 1500);
  });
}

function finish() {
  assert.deepEqual(seen, seen.map((_, place) => place), "a gap or a double");
  assert.equal(source.readyState, EventSource.CLOSED, "it goes on asking past the end");
  console.log(JSON.stringify({ events: seen.length }));
  process.exit(0);
}
