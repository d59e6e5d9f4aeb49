"""Its presence puts this folder on the import path, so that tests of all folders can use `broken_files`."""
