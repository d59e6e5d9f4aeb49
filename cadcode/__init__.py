"""cadcode: a mesh or point cloud becomes an editable CadQuery program."""

__version__ = "0.1.0"
