"""Graph-based segments of a scene, and the types that they belong to."""
