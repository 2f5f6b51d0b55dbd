"""What lies in a folder."""


def names(folder):
    return [path.name for path in folder.iterdir()]
