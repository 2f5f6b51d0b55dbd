from torch.nn import Linear

from caudex.core.learner import Learner
from caudex.core.metrics_buffer import MetricsBuffer
from caudex.core.signal import SignalOutput
from caudex.core.source import Source
from caudex.core.training_state import TrainingState
from caudex.core.trunk import Wrapped


class Steps(Source):
    """Of an environment; an episode ended before the first row alone."""

    sample_unit = "env steps"

    def __init__(self):
        self.episodes = [{"episodes/return": 1234.5, "episodes/length": 57.25}]

    def metrics(self):
        return self.episodes.pop() if self.episodes else {}


def make_buffer(source):
    state = TrainingState([source])
    return MetricsBuffer(Learner(Wrapped(Linear(2, 2), width=2), {}), state, None), state


def add_row(buffer, step, **outputs):
    buffer.state.step = step
    buffer.add({name: SignalOutput(loss, metrics) for name, (loss, metrics) in outputs.items()})
    buffer.flush()


def test_the_note_of_an_environment_has_return_length_steps_and_their_speed_before_losses():
    buffer, state = make_buffer(source := Steps())
    add_row(buffer, 0, policy=(0.25, {}))
    source.samples_seen, state.seconds, state.resumed_at = 63_488, 12.0, (3_488, 2.0)
    note = "return 1,234, length 57.25, 63,488 env steps, 6,000/s, loss policy 0.250"
    assert buffer.note() == note
    add_row(buffer, 1, policy=(0.125, {}))  # no episode ended since: its return stays
    assert buffer.note() == note.replace("0.250", "0.125")
    buffer.evaluate(lambda learner: {"return": 195.25, "length": 9.0})
    assert buffer.note().startswith("return 1,234, length 57.25, 63,488 env steps, 6,000/s, evaluated return 195.2")


def test_the_note_of_other_sources_has_step_accuracy_and_loss():
    buffer, _ = make_buffer(Source())
    add_row(buffer, 1200, labels=(0.31, {"accuracy": 0.9125}), rotation=(1.25, {"accuracy": 0.5, "other": 3.0}))
    expected = "step 1,200, accuracy labels 0.912, rotation 0.500, loss labels 0.310, rotation 1.250"
    assert buffer.note() == expected
