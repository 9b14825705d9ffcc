"""Loading a model for the transformers engine: what it needs, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rrm_harness import EngineError, Model, SpecError, models
from rrm_harness.heads import refuse_random
from rrm_harness.inputs import Reader
from rrm_harness.libraries import library, quiet_transformers

from .in_process import Dtype, precision

EXTRA = "transformers"


@dataclass(frozen=True, slots=True)
class Placing:
    """Where and how a model is put: all resolved, nothing left at auto.

    Args:
        device: `cpu`, `cuda`, `cuda:1`; or `spread`, over all GPUs there are.
        dtype: Of the weights.
        attention: Transformers' name of an implementation; its own choice if empty.
    """

    device: str
    dtype: str
    attention: str = ""

    @classmethod
    def resolved(
        cls, model: Model, device: str, dtype: Dtype, attention: str
    ) -> Placing:
        """Replace each `auto` by what this machine and the model's config have.

        Raises:
            SpecError: There is no such device.
            EngineError: The model has no config.
        """
        torch = library("torch", EXTRA)
        chosen = device if device != "auto" else _best_device(torch)
        on_gpu = chosen != "cpu"
        if on_gpu and not torch.cuda.is_available():
            raise SpecError(
                f"transformers,device={chosen}: torch finds no GPU here; use"
                " device=cpu, or install a torch that fits this machine's driver"
            )
        return cls(
            chosen,
            precision(model, dtype, on_gpu=on_gpu),
            "" if attention == "auto" else attention,
        )

    @property
    def options(self) -> dict[str, Any]:
        """What `from_pretrained` is told."""
        said: dict[str, Any] = {
            "dtype": getattr(library("torch", EXTRA), self.dtype),
            "use_safetensors": True,
        }
        if self.attention:
            said["attn_implementation"] = self.attention
        if self.device != "cpu":
            said["device_map"] = (
                "auto" if self.device == "spread" else {"": self.device}
            )
        return said


def _best_device(torch: Any) -> str:
    if not torch.cuda.is_available():
        return "cpu"
    return "spread" if torch.cuda.device_count() > 1 else "cuda"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model at work.

    Args:
        reader: Its tokenizer, its head if it has one, and the network's config, which
            has what config.json leaves to the class.
        network: What computes.
        ends: The tokens that end a text.
    """

    reader: Reader
    network: Any
    ends: tuple[int, ...] = ()

    @property
    def device(self) -> Any:
        """Where input ids go."""
        return next(self.network.parameters()).device


def load(model: Model, placing: Placing) -> Loaded:
    """Load a model; nothing in it may be left to chance.

    Raises:
        EngineError: It does not load, lacks weights, or its own code leaves buffers
            unset.
    """
    library("transformers", EXTRA)
    if placing.device != "cpu":
        library("accelerate", EXTRA)
    place = models.folder(model)
    trusted = model.trust_remote_code
    options = placing.options | {"trust_remote_code": trusted}
    with quiet_transformers():
        reader = Reader.of(model)
        read = reader.head.load if reader.head else _load_writer
        network = _told(place, read, options).eval()
        refuse_offloaded(place, network)
        keep_capping(place, network, placing.attention)
        if trusted:
            refuse_unset_buffers(place, network)
    reader = replace(reader, config=network.config)
    return Loaded(reader, network, () if reader.head else reader.ends())


def _told(place: Path, read: Any, options: dict[str, Any]) -> Any:
    """The network, or what is wrong with its folder."""
    try:
        return read(place, **options)
    except EngineError:
        raise
    except MemoryError as error:
        raise EngineError(f"{place} does not fit into this machine's memory") from error
    except Exception as error:
        raise EngineError(
            f"the model in {place} does not load ({type(error).__name__}: {error});"
            " only safetensors are read, and code that comes with a model only with"
            " trust-remote-code=true"
        ) from error


def _load_writer(place: Path, **options: Any) -> Any:
    """The network without its own decoding settings.

    A published temperature, nucleus or penalty would otherwise count in every request.
    """
    transformers = library("transformers", EXTRA)
    network, told = transformers.AutoModelForCausalLM.from_pretrained(
        place, output_loading_info=True, **options
    )
    refuse_random(place, told)
    network.generation_config = transformers.GenerationConfig()
    return network


def refuse_offloaded(place: Path, network: Any) -> None:
    """Refuse a network of which a part is not on a GPU: its weights are not at hand.

    Raises:
        EngineError: Names the first such part.
    """
    maps = [getattr(each, "hf_device_map", {}) for each in network.modules()]
    placed = [(name, where) for each in maps for name, where in each.items()]
    away = [name for name, where in placed if str(where) in ("cpu", "disk")]
    if away:
        raise EngineError(
            f"the model in {place} does not fit the GPUs here ({away[0] or 'all'}"
            " would stay off them); use more or larger GPUs, a smaller"
            " model, or device=cpu"
        )


def capped(network: Any) -> bool:
    """Whether the network's attention caps its logits, as Gemma 2's does."""
    return any(
        getattr(getattr(each, "config", None), "attn_logit_softcapping", None)
        for each in network.modules()
    )


def keep_capping(place: Path, network: Any, asked: str) -> None:
    """Make sure that attention's logits are capped where the config says so.

    Transformers 5 chooses `sdpa` for Gemma 2, which leaves the cap out without a word
    and moves scores in the fourth digit; `eager` and flash attention have it.

    Raises:
        EngineError: `sdpa` was asked for.
    """
    if not capped(network):
        return
    if asked == "sdpa":
        raise EngineError(
            f"attention=sdpa leaves out the cap on attention's logits that {place} was"
            " trained with; use attention=eager or attention=flash_attention_2"
        )
    for each in network.modules():
        able = hasattr(each, "set_attn_implementation")
        if able and each.config._attn_implementation == "sdpa":
            each.set_attn_implementation("eager")


def refuse_unset_buffers(place: Path, network: Any) -> None:
    """Refuse a network whose own code did not fill its buffers in.

    Transformers 5 builds a network without memory and fills in what the checkpoint
    has. Buffers that are computed, such as rotary frequencies, are then whatever lay in
    memory, unless the model's code computes them again; that of 2024 does not.

    Raises:
        EngineError: Names the first wrong buffer.
    """
    for name, found, wanted in _computed_buffers(network):
        same = found.shape == wanted.shape and bool(
            ((found - wanted).abs() <= 1e-2 * wanted.abs() + 1e-6).all()
        )
        if not same:
            raise EngineError(
                f"the code that comes with {place} leaves '{name}' unset under this"
                " transformers, so every answer would be wrong; run it with the"
                " transformers it was written for, or use the judge made for it"
                " (rrm-harness list models)"
            )


def _computed_buffers(network: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, what it holds and what it should hold, of each buffer not in a checkpoint.

    Buffers are compared in float32 on the CPU.
    """
    for module in _foreign(network):
        fresh = dict(_unsaved(_built_anew(module)))
        for name, buffer in _unsaved(module):
            if name in fresh:
                yield name, buffer.float().cpu(), fresh[name].float().cpu()


def _foreign(network: Any) -> Sequence[Any]:
    """The outermost models whose code came with their weights."""
    if type(network).__module__.startswith("transformers_modules"):
        return [network] if hasattr(network, "config") else []
    return [each for child in network.children() for each in _foreign(child)]


def _unsaved(module: Any) -> Iterator[tuple[str, Any]]:
    saved = module.state_dict().keys()
    return ((name, each) for name, each in module.named_buffers() if name not in saved)


def _built_anew(module: Any) -> Any:
    """The same class, its buffers computed and its weights left without memory."""
    accelerate = library("accelerate", EXTRA)
    with accelerate.init_empty_weights(include_buffers=False):
        return type(module)(module.config)
