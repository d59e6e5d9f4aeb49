"""Analytic faces of a mesh: planes, cylinders, cones, spheres and tori, and how they relate."""
