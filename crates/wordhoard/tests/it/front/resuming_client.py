"""OpenAI's own client, cut off in mid-stream by a server that dies. It reads a URL and a model, then the URL of the server
that comes after it, and prints what came of it."""

import json
import sys

import openai


def client():
    return openai.OpenAI(base_url=sys.stdin.readline().strip() + "/v1", api_key="sk-of-nobody", max_retries=0)


seen = []
first = client()
try:
    for event in first.responses.create(model=sys.argv[1], input=sys.argv[2], stream=True):
        seen.append(event)
        if len(seen) == 12:
            print("streaming", flush=True)
    raise AssertionError("the stream ended in an orderly way")
except (openai.APIError, Exception) as error:
    assert not isinstance(error, AssertionError), error
print(json.dumps({"seen": len(seen)}), flush=True)
for event in client().responses.retrieve(seen[0].response.id, stream=True, starting_after=seen[-1].sequence_number):
    seen.append(event)
assert [event.sequence_number for event in seen] == list(range(len(seen))), "a gap or a double"
assert seen[-1].type == "response.completed", seen[-1]
text = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
assert text == seen[-1].response.output_text
print(json.dumps({"text": text}), flush=True)
