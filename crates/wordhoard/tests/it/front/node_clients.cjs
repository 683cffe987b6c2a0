// The clients for Node: of OpenAI, of Anthropic, and Vercel's `ai` with its providers for both. The argument is a plan in
// JSON. The output is the ids of requests.

const assert = require("node:assert/strict");
const { OpenAI, BadRequestError, NotFoundError, RateLimitError, InternalServerError } = require("openai");
const { Anthropic, ...anthropicErrors } = require("@anthropic-ai/sdk");
const { generateText, streamText, tool, jsonSchema } = require("ai");
const { createOpenAI } = require("@ai-sdk/openai");
const { createAnthropic } = require("@ai-sdk/anthropic");

const plan = JSON.parse(process.argv[2]);
const key = { apiKey: "sk-of-nobody", maxRetries: 0 };
const openai = new OpenAI({ baseURL: `${plan.url}/v1`, ...key });
const anthropic = new Anthropic({ baseURL: plan.url, ...key });
const question = [{ role: "user", content: plan.prompt }];
const TOOLS = ["tool_0", "tool_1"];

async function openaiClient(provider) {
  const model = `${provider}:ok-20`;
  const { data: whole, response } = await openai.chat.completions
    .create({ model, messages: question })
    .withResponse();
  console.log(response.headers.get("x-wordhoard-request-id"));
  assert.equal(whole.choices[0].message.content, plan.expected);
  let text = "";
  for await (const chunk of await openai.chat.completions.create({ model, messages: question, stream: true })) {
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.equal(text, plan.expected);
  const runner = openai.chat.completions.stream({ model: `${provider}:tools`, messages: question });
  const called = (await runner.finalChatCompletion()).choices[0].message.tool_calls;
  assert.deepEqual(called.map((call) => call.function.name), TOOLS);
  const response2 = await openai.responses.create({ model, input: plan.prompt });
  assert.equal(response2.output_text, plan.expected);
  let streamed = "";
  for await (const event of await openai.responses.create({ model, input: plan.prompt, stream: true })) {
    if (event.type === "response.output_text.delta") streamed += event.delta;
  }
  assert.equal(streamed, plan.expected);
  for (const [behaviour, kind] of [
    ["status-400", BadRequestError], ["status-404", NotFoundError], ["status-429", RateLimitError],
    ["status-500", InternalServerError], ["echo-key", InternalServerError],
  ]) {
    const failing = openai.chat.completions.create({ model: `${provider}:${behaviour}`, messages: question });
    await assert.rejects(failing, kind, `${provider} ${behaviour}`);
  }
  await assert.rejects(async () => {
    const broken = { model: `${provider}:cut-after-7`, messages: question, stream: true };
    for await (const _ of await openai.chat.completions.create(broken));
  }, `${provider}: a cut answer ended in an orderly way`);
}

async function anthropicClient(provider) {
  const model = `${provider}:ok-20`;
  const ask = { max_tokens: 500, messages: question };
  const whole = await anthropic.messages.create({ model, ...ask });
  assert.equal(whole.content[0].text, plan.expected);
  assert.equal(await anthropic.messages.stream({ model, ...ask }).finalText(), plan.expected);
  const final = await anthropic.messages.stream({ model: `${provider}:tools`, ...ask }).finalMessage();
  const calls = final.content.filter((block) => block.type === "tool_use");
  assert.deepEqual(calls.map((call) => call.name), TOOLS);
  for (const [behaviour, kind] of [
    ["status-400", "BadRequestError"], ["status-404", "NotFoundError"], ["status-429", "RateLimitError"],
    ["status-500", "InternalServerError"],
  ]) {
    const failing = anthropic.messages.create({ model: `${provider}:${behaviour}`, ...ask });
    await assert.rejects(failing, anthropicErrors[kind] ?? Anthropic[kind], `${provider} ${behaviour}`);
  }
  await assert.rejects(
    anthropic.messages.stream({ model: `${provider}:cut-after-7`, ...ask }).finalText(),
    `${provider}: a cut answer ended in an orderly way`,
  );
}

async function vercel(provider) {
  const viaOpenai = createOpenAI({ baseURL: `${plan.url}/v1`, apiKey: "sk-of-nobody" });
  const viaAnthropic = createAnthropic({ baseURL: `${plan.url}/v1`, apiKey: "sk-of-nobody" });
  for (const of of [viaOpenai.chat, viaOpenai.responses, viaAnthropic]) {
    const rest = { prompt: plan.prompt, maxRetries: 0 };
    const whole = await generateText({ model: of(`${provider}:ok-20`), ...rest });
    assert.equal(whole.text, plan.expected);
    let text = "";
    for await (const piece of streamText({ model: of(`${provider}:ok-20`), ...rest }).textStream) text += piece;
    assert.equal(text, plan.expected);
    const schema = jsonSchema({ type: "object", properties: { q: { type: "string" } } });
    const tools = Object.fromEntries(TOOLS.map((name) => [name, tool({ description: "x", inputSchema: schema })]));
    const called = await generateText({ model: of(`${provider}:tools`), tools, ...rest });
    assert.deepEqual(called.toolCalls.map((call) => call.toolName), TOOLS);
  }
}

(async () => {
  for (const provider of plan.providers) {
    await openaiClient(provider);
    await anthropicClient(provider);
    await vercel(provider);
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
