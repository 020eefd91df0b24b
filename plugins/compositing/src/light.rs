//! The key light of a scene, as far as compositing needs it.

use crate::color::{Lch, mix};

/// A single area light far away, with the light that fills its shadows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Where the light comes from, seen from above, in degrees: 0 from the camera, -90 from the left, 90 from the
    /// right, 180 from behind the product.
    pub azimuth: f32,
    /// Height above the horizon in degrees, 5 to 85.
    pub elevation: f32,
    /// Half the angle under which the light appears, in degrees: 0.5 hard sun, 4 window, 15 large softbox.
    pub softness: f32,
    /// Colour of the key, linear, brightest channel near 1.
    pub color: [f32; 3],
    /// How much of the key's light a full shadow still gets from everywhere else, 0 to 1.
    pub fill: f32,
    /// Colour of that fill light, linear.
    pub fill_color: [f32; 3],
}

impl Default for Light {
    fn default() -> Self {
        Self {
            azimuth: -50.0,
            elevation: 50.0,
            softness: 8.0,
            color: [1.0, 0.985, 0.96],
            fill: 0.5,
            fill_color: [0.97, 0.98, 1.0],
        }
    }
}

impl Light {
    /// Reads a light from the words of a prompt (lower or upper case); what is not said keeps its default.
    pub fn from_words(prompt: &str) -> Self {
        let text = prompt.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
        let mut light = Self::default();
        if says(&["golden hour", "sunset", "sunrise", "dawn", "dusk"]) {
            light = Self {
                elevation: 18.0,
                softness: 2.5,
                color: [1.0, 0.74, 0.46],
                fill: 0.4,
                fill_color: [0.8, 0.86, 1.0],
                ..light
            };
        } else if says(&["hard light", "sunny", "sunlight", "sunlit", "harsh", "noon", "direct"]) {
            light = Self {
                elevation: 42.0,
                softness: 1.2,
                color: [1.0, 0.95, 0.86],
                fill: 0.38,
                fill_color: [0.85, 0.92, 1.0],
                ..light
            };
        } else if says(&["moody", "dark", "dramatic", "low key", "night", "evening"]) {
            light = Self { elevation: 40.0, softness: 5.0, color: [1.0, 0.92, 0.82], fill: 0.22, ..light };
        } else if says(&["candle", "warm light", "warm glow"]) {
            light = Self { softness: 6.0, color: [1.0, 0.82, 0.6], fill: 0.4, ..light };
        } else if says(&["studio", "softbox", "soft", "diffuse", "overcast", "airy"]) {
            light = Self { elevation: 58.0, softness: 14.0, fill: 0.6, ..light };
        }
        if says(&["from the right", "right side", "right light"]) {
            light.azimuth = light.azimuth.abs();
        }
        if says(&["backlit", "back light", "backlight", "from behind", "contre-jour"]) {
            light.azimuth = 150f32.copysign(light.azimuth);
        }
        if says(&["overhead", "top light", "from above"]) {
            light.elevation = 75.0;
        }
        light
    }

    /// The unit vector towards the light: x right, y up, z towards the camera.
    pub fn direction(&self) -> [f32; 3] {
        let (sa, ca) = self.azimuth.to_radians().sin_cos();
        let (se, ce) = self.elevation.clamp(2.0, 88.0).to_radians().sin_cos();
        [sa * ce, se, ca * ce]
    }

    /// The colour that a full shadow keeps of the lit surface's: fill over fill plus key, by channel.
    pub fn shadow_tint(&self) -> [f32; 3] {
        let tint: [f32; 3] = std::array::from_fn(|i| {
            let fill = self.fill * self.fill_color[i];
            fill / (fill + (1.0 - self.fill) * self.color[i]).max(1e-4)
        });
        mix(tint, Lch::of(tint).toned(self.fill.cbrt(), 0.0).rgb(), 0.35).map(|v| v.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_change_the_light() {
        let golden = Light::from_words("Golden hour, backlit");
        assert!(golden.elevation < 30.0 && golden.color[2] < 0.6 && golden.azimuth.abs() > 90.0);
        assert!(Light::from_words("soft studio light").softness > Light::from_words("hard light").softness);
        assert!(Light::from_words("light from the right").azimuth > 0.0);
    }

    #[test]
    fn the_direction_is_a_unit_vector() {
        let d = Light { azimuth: 30.0, elevation: 40.0, ..Light::default() }.direction();
        assert!((d.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
