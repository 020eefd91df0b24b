//! The answers that `categorical-prompt` chooses from: token `k` is template `k`.

/// 24 background prompts: six surfaces, four settings each.
pub const TEMPLATES: [&str; 24] = [
    "The product on white marble before a sage green plaster wall, soft window light from the left, blurred background.",
    "The product on polished marble before a cream wall with an arched niche, golden hour light, scattered petals.",
    "The product on black marble before a charcoal gradient background, a dramatic spotlight, golden spheres.",
    "The product on rose marble before a blush pink curtain backdrop, soft studio light, shallow depth of field.",
    "The product on light oak wood before a bright kitchen, morning light from the left, blurred background.",
    "The product on rustic wood before a cozy cafe, warm light, candles, shallow depth of field.",
    "The product on dark walnut wood before a navy blue wall, moody light from the right, a pile of books.",
    "The product on a wooden table before a sunny garden, dappled sunlight, summer, blurred background.",
    "The product on smooth concrete before a white plaster wall, gentle overcast light, sharp background.",
    "The product on rough concrete before an urban brick wall, hard sunlight from the right, depth of field.",
    "The product on pale concrete before a terracotta seamless backdrop, soft light, a round podium.",
    "The product on grey concrete before a neon gradient background in a futuristic city at night.",
    "The product on soft linen before a beige wall, window light with plant shadows, a small plant.",
    "The product on a linen tablecloth before a bright room interior, spring, pink petals, blurred background.",
    "The product on cream linen before a lavender gradient background, airy pastel light, sharp background.",
    "The product on white linen before a cozy bedroom, warm glow, candles, shallow depth of field.",
    "The product on golden sand before a blue sky with clouds, summer sunlight, palm shadows.",
    "The product on pale sand before a beach by the sea, golden hour light from the right, blurred background.",
    "The product on desert sand before a peach sunset sky, warm light, smooth pebbles.",
    "The product on white sand before a turquoise seamless backdrop, bright sun from the left, citrus fruit.",
    "The product on draped red velvet before golden bokeh, christmas, gifts, candlelight.",
    "The product on emerald green velvet before a dark curtain backdrop, a spotlight, elegant and premium.",
    "The product on navy blue velvet before a black studio backdrop, moody light from the left, golden spheres.",
    "The product on burgundy velvet before a cozy living room in autumn, fallen leaves, warm light.",
];
