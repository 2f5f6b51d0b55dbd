"""A hook of a misspelt name is a method that nothing calls."""

import ast
from pathlib import Path

import caudex

TREES = [ast.parse(file.read_text()) for file in Path(caudex.__file__).parent.rglob("*.py")]


def test_every_public_method_of_a_class_is_called_or_read_somewhere():
    attributes = {node.attr for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    classes = [node for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = {
        f"{kind.name}.{method.name}": method.name
        for kind in classes
        for method in kind.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
    }
    unused = {place for place, name in methods.items() if name not in attributes}
    others = {"Arm.energy", "BarWithNote.get_renderables", "ImagePredictor.predict_columns"}
    others |= {"MuJoCoStage.object_mask", "PathTracedStage.object_mask"}
    assert unused == others  # conserved, which tests check; called by rich; the others for users
