"""Labels: class schemes, onto the scene's grid, generalised, doubted, denoised."""
