"""RandAugment: a few random operations on each image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from caudex.views.draw import Draw
from caudex.views.operations import RANDAUGMENT_OPERATIONS, add_noise, affine, cutout
from caudex.views.view import View


@dataclass(frozen=True)
class RandAugment(View):
    """`num_ops` random operations an image, all of one magnitude (Cubuk et al. 2020, section 3).

    The paper's operations but for equalize, with scale, blur, noise and cutout besides.
    """

    num_ops: int = 2
    magnitude: float = 0.5
    operations: tuple[str, ...] = tuple(RANDAUGMENT_OPERATIONS)
    fill: str = "border"

    def apply(self, images: Tensor, draw: Draw) -> Tensor:
        table = [RANDAUGMENT_OPERATIONS[name] for name in self.operations]
        functions = list(dict.fromkeys(function for function, _ in table))
        function_of = torch.tensor([functions.index(function) for function, _ in table], device=images.device)
        max_amounts = torch.tensor([amount for _, amount in table], device=images.device)
        choices = draw.integers(len(table), self.num_ops)
        signs = torch.where(draw.uniform(self.num_ops) < 0.5, self.magnitude, -self.magnitude)
        for choice, sign in zip(choices.unbind(1), signs.unbind(1)):
            function_number = function_of[choice]
            order = function_number.argsort()  # so that the images of one function are a slice
            images, choice = images.index_select(0, order), choice[order]
            amount = sign[order] * max_amounts[choice]
            amounts = max_amounts.new_zeros(len(table), len(choice)).scatter_(0, choice[None], amount[None]).unbind()
            start = 0
            for function, count in zip(functions, function_number.bincount(minlength=len(functions)).tolist()):
                rows, start = slice(start, start + count), start + count
                child = draw.child(order[rows]) if function in (add_noise, cutout) else None
                if function and count:
                    columns = zip(self.operations, table, amounts)
                    arguments = {name: column[rows] for name, (other, _), column in columns if other is function}
                    if function is affine:
                        arguments["fill"] = self.fill
                    images[rows] = function(images[rows], child, **arguments)
            images = images.index_select(0, order.argsort())
        return images
