"""The command label."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from caudex.cli.commands import LabelFlags
from caudex.cli.flags import parse_flags
from caudex.core.errors import CaudexError, counted
from caudex.core.ranges import check_range


def label_command(words: Sequence[str]) -> None:
    flags = parse_flags(LabelFlags, words, "label")
    check_range(flags, port=(1024, 65535))
    try:
        from caudex.serve.app import create_app, listen, serve
    except ModuleNotFoundError as error:
        package = error.name.split(".")[0]
        raise CaudexError(f"label needs the package {package}: pip install 'caudex[serve]'.") from None
    from caudex.data.images.opening import MAX_PIXELS, allow_pixels
    from caudex.serve.label_page import label_routes
    from caudex.serve.labelling import open_labelling

    labelling, notes = open_labelling(flags.folder, flags.queue, flags.labels, flags.classes)
    for note in notes:
        print(f"caudex: {note}.", file=sys.stderr)
    listener = listen(flags.port)
    file = labelling.table.file
    print(f"{counted(len(labelling.queue), 'image')} to look at; labels go to {file}; Ctrl-C ends")
    app = create_app(label_routes(labelling, flags.folder), listener.getsockname()[1])
    with allow_pixels(MAX_PIXELS):
        serve(app, listener, flags.open)
    if not (written := labelling.count_written()):
        print("no label was written")
        return
    command = shlex.join(["caudex", "train", "noisy-student", "--data", str(flags.folder), "--labels", str(file)])
    print(f"{counted(written, 'label')} written to {file}; next: {command}")
