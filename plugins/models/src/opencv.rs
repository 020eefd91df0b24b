//! What OpenCV does to pictures, equal to it pixel for pixel: Canny's edges, dilation, resampling by area.
