"""Servers for the tests of what asks them: one with faults, and two real ones.

The faulty one answers by a script, one behaviour a request; llama.cpp's is made of a
tiny model's folder on the spot; vLLM's is started as its users start it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

HOST = "127.0.0.1"


@dataclass
class Asked:
    """A request as it came in, and the connection to answer on."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


Behaviour = Callable[[Asked], Awaitable[None]]


def chat(text: str, **changed: Any) -> dict[str, Any]:
    """A chat completion of one choice."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"choices": [choice | changed], "usage": usage}


def echo(asked: Asked) -> dict[str, Any]:
    """The last message, or the prompt, sent back."""
    if "/chat/completions" in asked.path:
        return chat(asked.body["messages"][-1]["content"])
    text = {"text": str(asked.body.get("prompt")), "finish_reason": "stop"}
    return {"choices": [text], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


def reply(
    said: Any = None, status: int = 200, delay: float = 0.0, **headers: str
) -> Behaviour:
    """Answer with this body: JSON of an object, a text as it is, or an echo."""

    async def behave(asked: Asked) -> None:
        await asyncio.sleep(delay)
        body = echo(asked) if said is None else said
        text = body if isinstance(body, str) else json.dumps(body)
        await send(asked, text, status, headers)

    return behave


async def send(
    asked: Asked, text: str, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    """Write a whole response."""
    content = text.encode()
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}"]
    lines += [
        f"{name.replace('_', '-')}: {each}" for name, each in (headers or {}).items()
    ]
    asked.writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await asked.writer.drain()


async def hang(asked: Asked) -> None:
    """Say nothing until the client goes away."""
    await asked.reader.read()


async def drip(asked: Asked) -> None:
    """Begin to answer, a byte at a time, so that no single read takes long."""
    asked.writer.write(b"HTTP/1.1 200 Status\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        asked.writer.write(b" ")
        await asked.writer.drain()
        await asyncio.sleep(0.02)


async def cut(asked: Asked) -> None:
    """Promise more than comes."""
    asked.writer.write(b'HTTP/1.1 200 Status\r\nContent-Length: 1000\r\n\r\n{"choices')
    await asked.writer.drain()
    asked.writer.close()


async def disconnect(asked: Asked) -> None:
    """Close the connection without a word."""
    asked.writer.close()


@dataclass
class FaultServer:
    """A server that behaves as `script` says, request by request, then as `always`.

    `asked` is every request, `in_flight` how many are unanswered, `most` the largest
    number that ever were. `stop` and `start` are an outage: the port stays the same.
    """

    always: Behaviour = field(default_factory=reply)
    script: deque[Behaviour] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    in_flight: int = 0
    most: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://{HOST}:{self.port}/v1"

    def __enter__(self) -> FaultServer:
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def start(self) -> None:
        """Listen; on the port of the last time, if there was one."""
        asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result()

    def stop(self) -> None:
        """Hang up on everyone and listen no more."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result()

    async def _listen(self) -> None:
        self.server = await asyncio.start_server(
            self._serve, HOST, self.port, ssl=self.tls
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        self.server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while not writer.is_closing():
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        said = json.loads(body) if body else {}
        asked = Asked(first.split()[1], headers, said, reader, writer)
        behave = self.script.popleft() if self.script else self.always
        self.asked.append(asked)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await behave(asked)
        finally:
            self.in_flight -= 1


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
    return port


def gguf_of(folder: Path, file: Path) -> Path:
    """Write a tiny Llama's folder as llama.cpp reads it, in float32."""
    import gguf
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(writer, folder, config)
    for name, weights in load_file(folder / "model.safetensors").items():
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
        for part, count in heads.items():
            if part in name:
                weights = _interleaved(weights, config[count])
        writer.add_tensor(_gguf_name(name), weights.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _add_tokenizer(writer: Any, folder: Path, config: Mapping[str, Any]) -> None:
    import gguf

    said = json.loads((folder / "tokenizer.json").read_text())
    tokens = sorted(said["model"]["vocab"], key=said["model"]["vocab"].get)
    special = {each["content"] for each in said["added_tokens"]}
    kinds = [
        gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL
        for token in tokens
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in said["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_chat_template((folder / "chat_template.jinja").read_text())


def _interleaved(weights: Any, heads: int) -> Any:
    """The rows of a projection as llama.cpp rotates them: halves become pairs."""
    rows, width = weights.shape
    halves = weights.reshape(heads, 2, rows // heads // 2, width)
    return halves.swapaxes(1, 2).reshape(rows, width)


def _gguf_name(name: str) -> str:
    renamed = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "model.layers": "blk",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for ours, theirs in renamed.items():
        name = name.replace(ours, theirs)
    return name


@contextmanager
def llama_cpp(folder: Path, file: Path, context: int = 2048) -> Iterator[str]:
    """A real llama.cpp server on a tiny Llama, in a process of its own; its address."""
    port = free_port()
    gguf_of(folder, file)
    script = (
        "import sys, xllamacpp as x; p = x.CommonParams(); p.model.path = sys.argv[1];"
        f"p.hostnames = ['{HOST}']; p.port = {port}; p.n_ctx = {context};"
        "p.n_parallel = 2;"
        "p.warmup = False; p.cpuparams.n_threads = 1; p.use_jinja = True;"
        "p.cache_type_k = x.ggml_type.GGML_TYPE_F32;"
        "p.cache_type_v = x.ggml_type.GGML_TYPE_F32;"
        "p.flash_attn_type = x.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED;"
        "s = x.Server(p); sys.stdin.read()"
    )
    log = file.with_suffix(".log")
    with _running([sys.executable, "-c", script, str(file)], port, "/health", 30, log):
        yield f"http://{HOST}:{port}/v1"


@contextmanager
def vllm(folder: Path, *options: str, log: Path) -> Iterator[str]:
    """A real vLLM server; ready after 25 to 60 s. Its address."""
    port = free_port()
    module = "vllm.entrypoints.openai.api_server"
    command = [sys.executable, "-m", module, "--model", str(folder), "--host", HOST]
    command += ["--port", str(port), "--dtype", "float32", "--enforce-eager", *options]
    with _running(command, port, "/health", 400, log):
        yield f"http://{HOST}:{port}/v1"


@contextmanager
def _running(
    command: list[str], port: int, path: str, seconds: float, log: Path | None = None
) -> Iterator[None]:
    """A server process, from when it answers until the block ends."""
    with open(log or os.devnull, "wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=said, stderr=said
        )
        try:
            _wait(process, f"http://{HOST}:{port}{path}", seconds, log)
            yield
        finally:
            process.terminate()
            process.wait(30)
            if process.stdin:
                process.stdin.close()


def _wait(
    process: subprocess.Popen[bytes], url: str, seconds: float, log: Path | None
) -> None:
    ends = time.monotonic() + seconds
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < ends and process.poll() is None:
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    said = log.read_text(errors="replace")[-3000:] if log else ""
    raise RuntimeError(f"the server did not come up: {said}")
