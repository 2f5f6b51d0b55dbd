"""A wrong word gets one line."""

import pytest
import torch
from helpers.cli_runs import TRAIN
from helpers.command_line import assert_refused


@pytest.mark.parametrize(
    "words, because",
    [
        ("trian", "Did you mean train?"),
        ("train", "say which system"),
        ("train --data photos", "say which system"),
        ("train noisy-studnet", "Did you mean noisy-student?"),
        ("train supervised photos", "'photos' belongs to no setting; usage: `caudex train supervised"),
        ("train supervised --scale huge", "no scale 'huge'; it has laptop, tiny, paper"),
        ("train supervised --scale", "--scale needs a value"),
        ("train supervised --leraning-rate 1", "no setting --leraning-rate"),
        ("train supervised --step 5", "Did you mean --steps?"),
        ("train supervised --lr", "--lr needs a value"),
        ("train supervised --lr fast", "--lr 'fast' is not a number"),
        ("train supervised --lr nan", "--lr nan is out of range"),
        ("train supervised --lr -0.1", "--lr -0.1 is out of range"),
        ("train supervised --steps 1.5", "--steps '1.5' is not a whole number"),
        ("train supervised --steps -5", "--steps -5 trains nothing"),
        ("train supervised --steps 0", "--steps 0 trains nothing"),
        ("train supervised --minutes 0", "--minutes 0 trains nothing"),
        ("train supervised --minutes inf", "--minutes inf trains nothing"),
        ("train supervised --flops -1", "--flops -1 trains nothing"),
        ("train supervised --seed -1", "--seed -1 is out of range"),
        ("train supervised --width 1e9", "is not a whole number"),
        ("train supervised --width 100000", "--width 100000 is out of range; it must be between 4 and 4096"),
        ("train supervised --mirror maybe", "'maybe' belongs to no setting"),
        ("train supervised --batch 0", "--batch 0 is out of range"),
        ("train supervised --batch 1000000000000", "is out of range; it must be between 2 and 1048576"),
        ("train gpt --batch 1000000000000", "is out of range; it must be between 1 and 1048576"),
        ("train supervised --labels-per-class -1", "--labels-per-class -1 is out of range"),
        ("train supervised --labels-per-class 1000", "class '0' has 133 labelled images"),
        ("train supervised --size 2", "give one from 4 to 4096"),
        ("train supervised --threads -1", "--threads -1 is out of range"),
        ("train supervised --save-seconds -1", "--save-seconds -1 is out of range"),
        ("train supervised --price -1", "--price -1 is out of range"),
        ("train supervised --devices 0", "--devices 0 is out of range"),
        ("train supervised --devices 1000 --device cpu", "--devices 1000 are too many processes"),
        ("train supervised --nodes 0", "--nodes 0 is out of range"),
        ("train supervised --device toaster", "cannot compute with --device toaster"),
        (
            "train supervised --precision nonsense",
            "--precision nonsense is unknown; choose 32-true, 64-true, bf16-mixed",
        ),
        ("train simclr --precision bf16-true", "weights of 16 bits lose most steps"),
        ("train simclr --precision 16-mixed", "gradients vanish"),
        ("train supervised --threads 100000000", "give at most 1,024"),
        ("train supervised --strategy nonsense", "cannot compute with --strategy nonsense"),
        ("train supervised --devices 2 --strategy ddp_spawn", "use ddp"),
        ("train two-moons --also rotation", "it needs unlabelled images, which this system has not"),
        ("claim supervised --data nowhere/ --seeds 2", "nowhere/ is not there"),
        ("train supervised --also rotatoin", "Did you mean rotation?"),
        ("train supervised --also unknown:1", "'unknown' is not among the signals"),
        ("train supervised --also rotation:-1", "a weight must be positive and finite"),
        ("train supervised --also rotation:nan", "a weight must be positive and finite"),
        ("train supervised --data nowhere/ --also rotatoin", "Did you mean rotation?"),
        ("train supervised --data nowhere/ --also rotation rotation:2", "each signal can be added once"),
        ("train simclr --data nowhere/ --also depth", "--also depth: it needs scenes whose every pixel is known"),
        ("train text-labels --data nowhere/ --also masked-token", "it needs pairs of passages"),
        ("labels-saved --data nowhere/ --auxiliary next-frame", "--also next-frame: it needs videos"),
        ("train supervised --also rotation:x", "'x' is neither a weight nor anything that this signal knows"),
        ("train supervised --steps 5 --minutes 1", "--steps and --minutes are both budgets"),
        ("train supervised --also labels:colour", "labels:colour names no further column"),
        ("train supervised --also labels", "labels:COLUMN names no further column"),
        ("train supervised --also rotation rotation:2", "each signal can be added once"),
        ("train supervised --data digitz", "Did you mean digits?"),
        ("train supervised --data nowhere/", "nowhere/ is not there"),
        ("train supervised --labels few.csv", "goes with a folder of images"),
        ("train supervised --data hf:", "hf:"),
        ("claim supervised --over nonsense=1", "with a setting of supervised that is a number"),
        ("claim supervised --over widht=8", "Did you mean width?"),
        ("claim supervised --over data=1", "that is a number"),
        ("claim supervised --over mirror=1", "that is a number"),
        ("claim supervised --over seed=1", "that is a number"),
        ("claim supervised --over width", "NAME=V1,V2"),
        ("claim supervised --over width=", "NAME=V1,V2"),
        ("claim supervised --over width=8,wide", "values must be whole numbers"),
        ("claim supervised --over width=8,8.5", "values must be whole numbers"),
        ("claim supervised --over width=8,8", "two values are the same"),
        ("claim supervised --over width=8,1", "--width 1 is out of range"),
        ("claim supervised --seeds 0", "--seeds 0"),
        ("claim supervised --workers 0", "--workers 0"),
        ("claim supervised --devices 2", "use --workers, not --devices"),
        ("claim nothing", "'nothing' is not among the systems"),
        ("predict", "usage: `caudex predict RUN FILES...`"),
        ("predict nowhere", "say which images"),
        ("predict nowhere x.png", "nowhere is not a run folder"),
        ("report", "usage: `caudex report RUN`"),
        ("report nowhere", "nowhere is not a run folder"),
        ("compare nowhere", "at least two run folders"),
        ("compare nowhere there", "nowhere is not a run folder"),
        ("export nowhere", "nowhere is not a run folder"),
        ("resume", "usage: `caudex resume RUN`"),
        ("resume nowhere", "nowhere is not a run folder"),
        ("list systems", "say `caudex list`, or `caudex list envs`"),
        ("list --all", "no setting --all"),
    ],
)
def test_a_wrong_word_gets_one_line(words, because):
    assert_refused(*words.split(), because=because)


def test_a_device_that_is_not_there():
    missing = "mps" if torch.cuda.is_available() else "cuda"
    assert_refused(*TRAIN, "--device", missing, because=f"cannot compute with --device {missing}")


def test_a_folder_without_its_flag_is_understood(photo_album):
    assert_refused("train", "noisy-student", photo_album, because=f"(--data {photo_album}?)")
