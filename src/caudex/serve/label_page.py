"""The page of labels: what it may ask for, by numbers of images alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from caudex.data.files import printable
from caudex.data.images.opening import UnreadableError
from caudex.serve.app import error_response, read_json, render
from caudex.serve.labelling import LabelConflict, Labelling, escape_invisible

Name = Annotated[str, Meta(max_length=10_000)]


class LabelRequest(Struct, forbid_unknown_fields=True):
    """A label for the image of that number, which the page showed with the label `previous`; "" is none."""

    number: Annotated[int, Meta(ge=0)]
    label: Name
    previous: Name
    undo: bool = False


def label_routes(labelling: Labelling, folder: Path) -> list[BaseRoute]:
    """/ is the page; /queue, /items/N and /images/N are read by it; /labels takes a LabelRequest."""

    def checked_number(number: int) -> int:
        if number >= len(labelling.queue):
            raise HTTPException(404, f"the queue ends at image {len(labelling.queue):,}")
        return number

    def page(request: Request) -> Response:
        title, table = (escape_invisible(printable(path)) for path in (folder, labelling.table.file))
        return render(request, "label.html", title=title, table=table)

    def queue(request: Request) -> Response:
        return JSONResponse(labelling.describe())

    def item(request: Request) -> Response:
        return JSONResponse(labelling.describe_image(checked_number(request.path_params["number"])))

    def image(request: Request) -> Response:
        number = checked_number(request.path_params["number"])
        try:
            content, media_type = labelling.preview(number)
        except UnreadableError as reason:
            return error_response(404, f"this image cannot be shown: {reason}.")
        return Response(content, media_type=media_type)

    async def labels(request: Request) -> Response:
        body = await read_json(request, LabelRequest)
        number = checked_number(body.number)
        try:
            return JSONResponse(
                await run_in_threadpool(labelling.set_label, number, body.label, body.previous, body.undo)
            )
        except LabelConflict:
            return JSONResponse({"item": await run_in_threadpool(labelling.describe_image, number)}, 409)

    return [
        Route("/", page),
        Route("/queue", queue),
        Route("/items/{number:int}", item),
        Route("/images/{number:int}", image),
        Route("/labels", labels, methods=["POST"]),
    ]
