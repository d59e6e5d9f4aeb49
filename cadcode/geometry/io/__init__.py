"""Readers of mesh, point cloud and CAD files."""
