"""The command label."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from caudex.cli.commands import LabelFlags
from caudex.cli.flags import parse_flags
from caudex.cli.serve import import_app
from caudex.core.errors import counted
from caudex.core.ranges import check_range


def label_command(words: Sequence[str]) -> None:
    flags = parse_flags(LabelFlags, words, "label")
    check_range(flags, port=(1024, 65535))
    app = import_app("label")
    from caudex.data.images.opening import MAX_PIXELS, allow_pixels
    from caudex.serve.label_page import label_routes
    from caudex.serve.labelling import open_labelling

    labelling, notes = open_labelling(flags.folder, flags.queue, flags.labels, flags.classes)
    for note in notes:
        print(f"caudex: {note}.", file=sys.stderr)
    listener = app.listen(flags.port)
    file, had_labels = labelling.table.file, bool(labelling.table.labels)
    print(f"{counted(len(labelling.queue), 'image')} to look at; labels go to {file}; Ctrl-C ends")
    page = app.create_app(label_routes(labelling, flags.folder), listener.getsockname()[1])
    with allow_pixels(MAX_PIXELS):
        app.serve(page, listener, flags.open)
    if not (written := labelling.count_written()):
        print("no label was written")
        return
    if flags.queue and flags.queue.resolve() == file.resolve() and not had_labels:
        print(f"{counted(written, 'label')} written to {file}")  # an audit's: not to be learned from
        return
    command = shlex.join(["caudex", "train", "noisy-student", "--data", str(flags.folder), "--labels", str(file)])
    print(f"{counted(written, 'label')} written to {file}; next: {command}")
