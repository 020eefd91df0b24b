//! CLIP: the text encoder of Stable Diffusion, its tokenizer, and the image encoder of IP-Adapter.
