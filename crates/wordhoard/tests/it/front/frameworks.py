"""LangChain and LiteLLM against the server; the argument is a plan in JSON, the output the ids of requests."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # Its list of prices comes from the network otherwise.

import litellm
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, ValidationError

plan = json.loads(sys.argv[1])
place = {"base_url": plan["url"] + "/v1", "api_key": "sk-of-nobody", "max_retries": 0}
question = [{"role": "user", "content": plan["prompt"]}]


@tool
def tool_0(q: str) -> str:
    """Ask something."""
    return q


class Jump(BaseModel):
    height: float


for provider in plan["providers"]:
    chat = ChatOpenAI(model=f"{provider}:ok-20", include_response_headers=True, **place)
    whole = chat.invoke(plan["prompt"])
    print(whole.response_metadata["headers"]["x-wordhoard-request-id"])
    assert whole.content == plan["expected"] and whole.usage_metadata["output_tokens"] == 20, whole
    assert "".join(chunk.content for chunk in chat.stream(plan["prompt"])) == plan["expected"]
    behind_responses = ChatOpenAI(model=f"{provider}:ok-20", use_responses_api=True, **place)
    assert behind_responses.invoke(plan["prompt"]).text == plan["expected"]
    called = ChatOpenAI(model=f"{provider}:tools", **place).bind_tools([tool_0]).invoke(plan["prompt"])
    assert [call["name"] for call in called.tool_calls] == ["tool_0", "tool_1"], called
    # Its answer is no JSON of that form, and the client says so: it came as it is.
    try:
        chat.with_structured_output(Jump, method="json_schema").invoke(plan["prompt"])
        raise AssertionError("it was taken for JSON")
    except ValidationError as error:
        assert plan["expected"][:6] in str(error), error

    place_of = {"api_base": plan["url"] + "/v1", "api_key": "sk-of-nobody", "num_retries": 0, "messages": question}
    answer = litellm.completion(model=f"openai/{provider}:ok-20", **place_of)
    assert answer.choices[0].message.content == plan["expected"] and answer.usage.completion_tokens == 20, answer
    chunks = litellm.completion(model=f"openai/{provider}:ok-20", stream=True, **place_of)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plan["expected"]
    for behaviour, kind in [("status-429", litellm.RateLimitError), ("status-400", litellm.BadRequestError)]:
        try:
            litellm.completion(model=f"openai/{provider}:{behaviour}", **place_of)
            raise AssertionError(f"{behaviour} did not fail")
        except kind:
            pass
