//! sentencepiece models of byte-pair encoding (`tokenizer.model` of LLaMA, Vicuna and Mistral), turned into a tokenizer of the
//! `tokenizers` crate.
//!
//! The file is a protocol buffer; of it pieces with their scores and kinds are read, and the few settings that matter. A merge
//! makes a piece of two others: that of the highest score goes first.

mod wire;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence as Normalizers};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer};

use crate::{ModelError, Result};
use wire::{Kind, Model, Piece};

/// Stands for a space.
const SPACE: &str = "▁";

/// Reads `path`. `begins` says whether texts begin with the begin token, as `add_bos_token` of `tokenizer_config.json`.
///
/// # Errors
/// [`ModelError::Read`] for a file that cannot be read, and [`ModelError::Config`] for one that is no such model: of another kind
/// than byte-pair encoding, or with a normalisation of its own.
pub(super) fn read(path: &Path, begins: bool) -> Result<Tokenizer> {
    let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let fault = |reason: String| ModelError::Config { path: path.to_owned(), reason };
    let model = Model::parse(&bytes).ok_or_else(|| {
        fault("it is no sentencepiece model, or it is cut off; download it once more".to_owned())
    })?;
    check(&model).map_err(fault)?;
    built(&model, begins).map_err(|error| fault(format!("no tokenizer can be made of it: {error}")))
}

fn check(model: &Model) -> std::result::Result<(), String> {
    if !model.is_bpe {
        return Err("it is a sentencepiece model of another kind than byte-pair encoding (BPE); convert it: \
                    AutoTokenizer.from_pretrained(folder).save_pretrained(folder) in Python writes tokenizer.json"
            .to_owned());
    }
    if model.normalizes {
        return Err("it normalises text in a way of its own (precompiled_charsmap), which is not read here; convert it to \
                    tokenizer.json with transformers"
            .to_owned());
    }
    if !model.pieces.iter().any(|piece| piece.kind == Kind::Unknown) {
        return Err("it has no piece for what it does not know".to_owned());
    }
    Ok(())
}

fn built(model: &Model, begins: bool) -> tokenizers::Result<Tokenizer> {
    let vocabulary: HashMap<&str, u32> =
        model.pieces.iter().zip(0..).map(|(piece, id)| (piece.text.as_str(), id)).collect();
    let of_kind = |kind: Kind| model.pieces.iter().filter(move |piece| piece.kind == kind);
    let unknown = of_kind(Kind::Unknown).map(|piece| piece.text.clone()).next().unwrap_or_default();
    let merges = merges(&model.pieces, &vocabulary);
    let bpe = BPE::builder()
        .vocab_and_merges(
            vocabulary.iter().map(|(&text, &id)| (text.to_owned(), id)).collect::<Vocab>(),
            merges,
        )
        .unk_token(unknown)
        .fuse_unk(true)
        .byte_fallback(true)
        .build()?;
    let mut tokenizer = Tokenizer::new(bpe);
    let mut steps = vec![Replace::new(" ", SPACE)?.into()];
    if model.adds_prefix {
        steps.insert(0, Prepend::new(SPACE.to_owned()).into());
    }
    tokenizer.with_normalizer(Some(Normalizers::new(steps)))?;
    let mut steps = vec![Replace::new(SPACE, " ")?.into(), ByteFallback::new().into(), Fuse::new().into()];
    if model.adds_prefix {
        steps.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_decoder(Some(Decoders::new(steps)));
    let added =
        |piece: &Piece, special: bool| AddedToken::from(piece.text.clone(), special).normalized(false);
    let special: Vec<AddedToken> =
        of_kind(Kind::Unknown).chain(of_kind(Kind::Control)).map(|piece| added(piece, true)).collect();
    tokenizer.add_special_tokens(special)?;
    let own: Vec<AddedToken> = of_kind(Kind::UserDefined).map(|piece| added(piece, false)).collect();
    tokenizer.add_tokens(own)?;
    if let Some(piece) = model.bos().filter(|_| begins) {
        let template = TemplateProcessing::builder()
            .try_single(format!("{} $A", piece.text))?
            .try_pair(format!("{0} $A {0} $B", piece.text))?
            .special_tokens(vec![(piece.text.clone(), vocabulary[piece.text.as_str()])])
            .build()?;
        tokenizer.with_post_processor(Some(template));
    }
    Ok(tokenizer)
}

/// Every way to put a piece together of two others, in the order in which they are tried: by score, then longer parts first, as
/// `transformers` orders them.
fn merges(pieces: &[Piece], vocabulary: &HashMap<&str, u32>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for piece in pieces {
        let cuts = piece.text.char_indices().skip(1).map(|(at, _)| piece.text.split_at(at));
        let mut pairs: Vec<_> = cuts
            .filter_map(|(left, right)| Some((*vocabulary.get(left)?, *vocabulary.get(right)?, left, right)))
            .collect();
        pairs.sort_unstable_by_key(|&(left, right, ..)| (left, right));
        found.extend(pairs.into_iter().map(|(_, _, left, right)| (piece.score, left, right)));
    }
    let length = |text: &str| Reverse(text.chars().count());
    found.sort_by(|a, b| {
        b.0.total_cmp(&a.0).then((length(a.1), length(a.2)).cmp(&(length(b.1), length(b.2))))
    });
    found.into_iter().map(|(_, left, right)| (left.to_owned(), right.to_owned())).collect()
}
