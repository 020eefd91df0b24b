//! sentencepiece models, against sentencepiece. Goldens: `python fixtures/scripts/goldens_language_sentencepiece.py`.

mod support;

use std::fs;

use adeval_models::language::LanguageTokenizer;
use serde::Deserialize;

use support::{Parity, goldens};

const PARITY: Parity = Parity::new("language", "sentencepiece 0.2.3");

#[derive(Deserialize)]
struct Row {
    text: String,
    ids: Vec<u32>,
    decoded: String,
}

fn rows() -> Vec<Row> {
    let text = fs::read(goldens().join("llava/sentencepiece/ids.json")).expect("the golden's rows");
    serde_json::from_slice(&text).expect("rows of the known form")
}

#[test]
fn ids_equal_those_of_sentencepiece() {
    let tokenizer = LanguageTokenizer::from_dir(&goldens().join("llava/sentencepiece"));
    let tokenizer = tokenizer.unwrap_or_else(|e| panic!("{e}"));
    for row in rows() {
        assert_eq!(tokenizer.encode(&row.text, false).expect("ids"), row.ids, "{:?}", row.text);
        assert_eq!(tokenizer.decode(&row.ids), row.decoded);
        let with: Vec<u32> = [&[1], row.ids.as_slice()].concat();
        assert_eq!(tokenizer.encode(&row.text, true).expect("ids"), with);
    }
    PARITY.number("sentencepiece, byte-pair encoding", "texts that differ", 0.0, 0.0);
    assert_eq!((tokenizer.eos(), tokenizer.pad(), tokenizer.len()), (Some(2), Some(0), 420));
    assert_eq!(tokenizer.special().bos.as_deref(), Some("<s>"));
}

#[test]
fn files_that_are_no_tokenizer_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = || LanguageTokenizer::from_dir(folder.path()).err().expect("refused").to_string();
    assert!(refused().contains("there is no tokenizer.json and no tokenizer.model"));
    let model = fs::read(goldens().join("llava/sentencepiece/tokenizer.model")).expect("a model");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
    write("tokenizer.model", &model[..model.len() - 5]);
    assert!(refused().contains("tokenizer.model: it is no sentencepiece model, or it is cut off"));
    write("tokenizer.json", b"{}");
    assert!(refused().contains("tokenizer.json: no tokenizer can be read from it"));
}
