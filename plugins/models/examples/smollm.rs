//! Answers of a GGUF file and how fast they come, in every form of its weights; `fixtures/scripts/speed_llm.py` runs it beside
//! transformers.
//!
//! `cargo run --release -p adeval-models --example smollm -- FILE.gguf [--prompt TEXT] [--tokens N] [--prefill N]`

#![allow(clippy::print_stdout, missing_docs)]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use adeval_models::decoder::gguf::{Form, Gguf};
use adeval_models::decoder::{Decoder, KvCache, Pass};
use adeval_models::generation::{Prompt, SamplingOptions, generate};
use candle_core::Device;
use candle_core::quantized::GgmlDType;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let number = |name: &str, default: usize| value(name).map_or(Ok(default), |text| text.parse());
    let path = arguments.first().filter(|a| !a.starts_with("--")).ok_or("name a GGUF file")?;
    let question =
        value("--prompt").map_or("Describe a background for a photograph of a red shoe.", String::as_str);
    let (tokens, prefill) = (number("--tokens", 64)?, number("--prefill", 512)?);
    let text = format!("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n");
    let forms = [("stored", Form::Stored), ("Q8_0", Form::Blocks(GgmlDType::Q8_0)), ("f32", Form::Float)];
    for (name, form) in forms {
        let start = Instant::now();
        let gguf = Gguf::read(Path::new(path), form, &Device::Cpu)?;
        let loaded = start.elapsed().as_secs_f64();
        let tokenizer = gguf.tokenizer()?;
        let ids = tokenizer.encode(text.as_str(), false).map_err(|e| e.to_string())?.get_ids().to_vec();
        let options = SamplingOptions::greedy(tokens, Vec::new());
        let prompt = Prompt::text(ids.clone());
        let answers =
            generate(&gguf.decoder, &[prompt], 1, &[0], &options, None, &mut |_| ControlFlow::Continue(()))?;
        let answer = &answers[0][0];
        let (read, drawn) =
            (speed_of_reading(&gguf.decoder, prefill)?, speed_of_drawing(&gguf.decoder, &ids, tokens)?);
        println!(
            "{name}: {read:.1} tokens/s read ({prefill} at once), {drawn:.1} tokens/s drawn, {:.0} MiB of weights, loaded in {loaded:.1} s",
            gguf.decoder.bytes() as f64 / f64::from(1 << 20)
        );
        println!("{name} prompt ids: {ids:?}");
        println!("{name} answer ids: {:?}", answer.ids);
        println!("{name} log p: {:?}", answer.log_probs);
        println!("{name} answer: {:?}", tokenizer.decode(&answer.ids, true).map_err(|e| e.to_string())?);
    }
    Ok(())
}

/// Tokens a second of one prompt, the best of three.
fn speed_of_reading(decoder: &Decoder, tokens: usize) -> Result<f64, Box<dyn Error>> {
    let ids: Vec<u32> = (0..tokens as u32).map(|i| 1000 + i * 7 % 10_000).collect();
    let embeds = decoder.embed(&ids)?.unsqueeze(0)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        let mut cache = KvCache::new(decoder);
        let hidden = decoder.forward(&embeds, &[0], Some(&mut cache), Pass::Inference)?;
        decoder.logits(&hidden.narrow(1, tokens - 1, 1)?)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(tokens as f64 / best)
}

/// Tokens a second of one answer after a short prompt, the best of three; the prompt's own time is not counted.
fn speed_of_drawing(decoder: &Decoder, ids: &[u32], tokens: usize) -> Result<f64, Box<dyn Error>> {
    let options = SamplingOptions::greedy(tokens + 1, Vec::new());
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let mut first = None;
        let mut last = Instant::now();
        generate(decoder, &[Prompt::text(ids.to_vec())], 1, &[0], &options, None, &mut |_| {
            last = Instant::now();
            first.get_or_insert(last);
            ControlFlow::Continue(())
        })?;
        best = best.min(first.map_or(f64::INFINITY, |first| (last - first).as_secs_f64()));
    }
    Ok(tokens as f64 / best)
}
