"""What lies in a folder."""


def file_names(folder):
    return [path.name for path in folder.iterdir()]
