"""What gpt adds to go on with a model that has read before: all weights learn, or low-rank adapters alone."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace

import torch
from msgspec import Struct
from msgspec.structs import replace as replace_struct
from torch import Tensor

from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.hardware import launch_fabric
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.run_records import Finished
from caudex.core.specs import TextSpec
from caudex.core.system import load, open_run
from caudex.core.weights import load_weights
from caudex.data import TokenStream
from caudex.evaluation.perplexity import loss_and_accuracy
from caudex.evaluation.text_result_kinds import GPTFigures
from caudex.evaluation.verdicts import paired_gain
from caudex.models.adapters import ADAPTER_FOLDER, adapter_places, write_adapter
from caudex.models.causal_lm import CausalLM
from caudex.models.hf_export import model_type_of
from caudex.systems.text.shared import Texts, TextSystem
from caudex.trunks import LowRankTrunk, Transformer

SIZES = {"vocab_size": "vocabulary", "depth": "depth", "width": "width", "heads": "heads", "rotary": "rotary"}
"""settings that come from the run of --from, and what they are called in its spec"""
FINE_TUNING_LR, LORA_LR = 0.02, 0.2
"""divided by the trunk's width"""
SAMPLE_TOKENS = 60
"""of each sample before and after"""


class BeforeTuning(Struct):
    """before.json: the model of --from on the held-out text, so that a resumed training need not test it again."""

    start: str
    """hash of its weights"""
    figures: GPTFigures
    losses: list[float]
    completions: list[str]


@dataclass
class FineTunedSystem(TextSystem):
    """A system that can begin with a model that has read before. It brings `figures` and `completions`."""

    start: str | None = None
    """the run to begin with, of gpt or an imported decoder; also written --from. Tokenizer and sizes are that run's; --context is
    the length of the windows"""
    fine_tuning_lr: float | None = None
    """learning rate with --from; default: 0.02 over the trunk's width, with --lora ten times that"""
    lora: int | None = None
    """with --from: rank of the low-rank adapters that learn while all weights stay (Hu et al. 2021)"""
    lora_alpha: float | None = None
    """the adapters are multiplied by this over their rank; default: twice the rank"""
    lora_mlp: bool = False
    """adapters on the feed-forward networks too, not on attention alone"""

    def figures(self, model: CausalLM, texts: Texts, windows: Tensor, loss: float, accuracy: float) -> dict:
        raise NotImplementedError

    def completions(
        self, model: CausalLM, stream: TokenStream, count: int = 4, max_tokens: int = 150
    ) -> list[tuple[str, str]]:
        raise NotImplementedError

    def test_windows(self, texts: Texts) -> Tensor:
        raise NotImplementedError

    def train(self, run: Run) -> CausalLM:
        return self.fine_tune(run) if self.start else super().train(run)

    def fine_tune(self, run: Run) -> CausalLM:
        start = self.load_start(run)
        texts = self.read_texts(run, start.tokenizer)
        trunk = start.trunk_config | {"dropout": self.dropout}
        spec = replace_struct(start.spec, trunk=trunk, unigram=texts.unigram)
        run.write_spec(spec)
        before = self.test_before(run, start, texts)
        with run.seeded("weights"):
            learner = self.learner_from(start, spec)
        learning = sum(p.numel() for p in learner.parameters() if p.requires_grad)
        print_once(run, f"{learning:,} of the {count_parameters(start):,} weights of {self.start} learn")
        self.fit_to_texts(learner, run, texts)
        model = self.finish(run, learner, spec)
        self.test_after(run, model, texts, before, learning)
        return model

    def load_start(self, run: Run) -> CausalLM:
        """The model of `--from`, on the device of the run."""
        model = load(self.start)
        if not isinstance(model, CausalLM):
            raise CaudexError(f"--from {self.start} holds no model that goes on with a text; give a run of gpt.")
        model.require_signal("next-token", "be fine-tuned here")
        return model.to(launch_fabric(run.hardware).device)

    def learner_from(self, start: CausalLM, spec: TextSpec) -> Learner:
        trunk = Transformer(**spec.trunk)
        load_weights(trunk, start.trunk.state_dict())
        lr = self.fine_tuning_lr or (LORA_LR if self.lora else FINE_TUNING_LR) / trunk.width
        if self.lora:
            trunk = LowRankTrunk(trunk, adapter_places(start, self.lora_mlp), self.lora, self.adapter_alpha)
        learner = self.make_learner(trunk, spec, lr)
        load_weights(learner.signals["next-token"], start.signals["next-token"].state_dict())
        return learner

    def finish(self, run: Run, learner: Learner, spec: TextSpec) -> CausalLM:
        """The model, with adapters merged into its weights; these are also kept as they are."""
        if self.lora:
            model_type = model_type_of(spec.trunk)
            for name, content in write_adapter(learner.trunk, model_type, self.lora, self.adapter_alpha).items():
                run.write(f"{ADAPTER_FOLDER}/{name}", content)
            learner.trunk = learner.trunk.merge()
        return CausalLM(learner, spec)

    @property
    def adapter_alpha(self) -> float:
        return self.lora_alpha or 2.0 * self.lora

    # -- before and after --------------------------------------------------------------------------------------

    def test_before(self, run: Run, start: CausalLM, texts: Texts) -> BeforeTuning:
        before, model_hash = (
            run.read_struct("before", BeforeTuning),
            Run(self.start).read_struct("finished", Finished).model,
        )
        if before is None:
            losses, results = self.test_windows_singly(run, start, texts)
            completions = [text for _, text in self.completions(start, texts.held_out, max_tokens=SAMPLE_TOKENS)]
            before = BeforeTuning(model_hash, results["model"], losses, completions)
            run.write_struct("before", before)
        if before.start != model_hash:
            raise CaudexError(
                f"{self.start} was changed since this training began with it; put it back, or train anew."
            )
        return before

    def test_after(self, run: Run, model: CausalLM, texts: Texts, before: BeforeTuning, learning: int) -> None:
        """results.json and samples.txt, with the same figures and prompts before and after."""
        losses, results = self.test_windows_singly(run, model, texts)
        pairs = zip(self.completions(model, texts.held_out, max_tokens=SAMPLE_TOKENS), before.completions)
        samples = [{"prompt": prompt, "before": earlier, "after": text} for (prompt, text), earlier in pairs]
        gain = paired_gain(before.losses, losses).to_json()
        results |= {"before": before.figures, "gain": gain, "learning parameters": learning, "samples": samples}
        run.write_json("results", results)
        parts = [f"before: {s['prompt']}|{s['before']}\n\nafter: {s['prompt']}|{s['after']}" for s in samples]
        run.write("samples.txt", "\n\n----\n\n".join(parts) + "\n")

    def test_windows_singly(self, run: Run, model: CausalLM, texts: Texts) -> tuple[list[float], dict]:
        """The loss of each window of held-out text, which are paired before and after; and the figures of all."""
        windows = self.test_windows(texts)
        with run.counting(model):
            scores = [loss_and_accuracy(model.trunk, model.signals, window[None]) for window in windows]
        loss, accuracy = torch.tensor(scores, dtype=torch.float64).mean(0).tolist()
        return [loss for loss, _ in scores], self.figures(model, texts, windows, loss, accuracy)

    # -- settings ----------------------------------------------------------------------------------------------

    def resolve(self) -> FineTunedSystem:
        """With the sizes of the run of --from. Raises CaudexError for a flag that contradicts them."""
        if not self.start:
            return self
        system, run = open_run(self.start)
        spec = run.read_spec(system.spec_type)
        if not isinstance(spec, TextSpec):
            raise CaudexError(f"--from {self.start} holds no model of texts; give a run of gpt.")
        sizes = {name: spec.trunk[key] for name, key in SIZES.items() if key in spec.trunk}
        for name, size in {**sizes, "tokenizer": None}.items():
            if getattr(self, name) not in (size, *self.own_values(name)):
                what = "brings its own" if name == "tokenizer" else f"has {size}"
                flag = name.replace("_", "-")
                raise CaudexError(f"--{flag} {getattr(self, name)}: {self.start} {what}; leave it out.")
        longest = spec.trunk["context"]
        if self.context > longest and self.context not in self.own_values("context"):
            raise CaudexError(
                f"--context {self.context}: {self.start} sees {longest:,} tokens at once; give that or less."
            )
        resolved = replace(self, **sizes, context=min(self.context, longest))
        check_range(resolved, lora=(1, resolved.width))
        return resolved

    def own_values(self, name: str) -> set:
        """What a setting has where nobody chose it: the default, and those of the scales."""
        default = next(field.default for field in fields(self) if field.name == name)
        return {default, *(settings.get(name, default) for settings in self.scales.values())} - {MISSING}

    def check(self) -> None:
        super().check()
        for name in ("lora", "lora_alpha", "lora_mlp", "fine_tuning_lr"):
            if getattr(self, name) and not self.start:
                flag = name.replace("_", "-")
                raise CaudexError(f"--{flag} needs a model to begin with; add --from RUN.")
        if (self.lora_alpha or self.lora_mlp) and not self.lora:
            raise CaudexError("--lora-alpha and --lora-mlp are of adapters; add --lora RANK.")
        check_range(self, lora=(1, float("inf")), lora_alpha=(1e-3, 1e6), fine_tuning_lr=(1e-8, 10))


def count_parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())
