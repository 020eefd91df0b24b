//! The few fields of sentencepiece's `ModelProto` that are needed, read from the wire format of protocol buffers.

/// What a piece is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A part of words.
    Normal,
    /// Stands for what is not known.
    Unknown,
    /// `<s>`, `</s>`.
    Control,
    /// Added by hand.
    UserDefined,
    /// Never used.
    Unused,
    /// One byte.
    Byte,
}

/// An entry of the vocabulary; its id is its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub text: String,
    pub score: f32,
    pub kind: Kind,
}

/// A model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    pub pieces: Vec<Piece>,
    /// Byte-pair encoding, not unigram, words or characters.
    pub is_bpe: bool,
    /// Whether text begins with a space that is not there.
    pub adds_prefix: bool,
    /// Whether characters are mapped or spaces squeezed before all.
    pub normalizes: bool,
    bos: i64,
}

impl Model {
    /// None for bytes that are no such model.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut model =
            Self { pieces: Vec::new(), is_bpe: false, adds_prefix: true, normalizes: false, bos: 1 };
        // What a file leaves out is set.
        let mut squeezes = true;
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(bytes)) => model.pieces.push(Piece::parse(bytes)?),
                (2, Value::Bytes(bytes)) => {
                    for field in Fields(bytes) {
                        match field? {
                            (3, Value::Number(kind)) => model.is_bpe = kind == 2,
                            // Written as a 64-bit two's complement where it is -1: none.
                            (41, Value::Number(id)) => model.bos = id.cast_signed(),
                            _ => {}
                        }
                    }
                }
                (3, Value::Bytes(bytes)) => {
                    for field in Fields(bytes) {
                        match field? {
                            (2, Value::Bytes(map)) => model.normalizes = !map.is_empty(),
                            (3, Value::Number(flag)) => model.adds_prefix = flag != 0,
                            (4, Value::Number(flag)) => squeezes = flag != 0,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        model.normalizes |= squeezes;
        (!model.pieces.is_empty()).then_some(model)
    }

    /// The piece that begins a text.
    pub fn bos(&self) -> Option<&Piece> {
        self.pieces.get(usize::try_from(self.bos).ok()?)
    }
}

impl Piece {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut piece = Self { text: String::new(), score: 0.0, kind: Kind::Normal };
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(text)) => piece.text = String::from_utf8(text.to_vec()).ok()?,
                (2, Value::Single(score)) => piece.score = score,
                (3, Value::Number(kind)) => {
                    piece.kind = match kind {
                        1 => Kind::Normal,
                        2 => Kind::Unknown,
                        3 => Kind::Control,
                        4 => Kind::UserDefined,
                        5 => Kind::Unused,
                        6 => Kind::Byte,
                        _ => return None,
                    }
                }
                _ => {}
            }
        }
        Some(piece)
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Single(f32),
    Double,
}

/// The fields of a message, each with its number; one None and then nothing where the bytes are no message.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Double
            }
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Single(f32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_model_is_none() {
        for bytes in [
            &b""[..],
            b"\x0a",
            b"\x0a\x05ab",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"{}",
            b"\x0b",
        ] {
            assert_eq!(Model::parse(bytes), None, "{bytes:?}");
        }
    }

    /// A field that holds bytes.
    fn nested(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    #[test]
    fn pieces_and_settings_are_read() {
        let score = [&[0x15][..], &(-2.0f32).to_le_bytes()].concat();
        let piece = [nested(1, b"ab"), score, vec![0x18, 6]].concat();
        // Field 41, the begin token, is -1.
        let none = [&[0xc8, 0x02][..], &[0xff; 9], &[0x01]].concat();
        let trainer = [vec![0x18, 2], none].concat();
        let bytes = [nested(1, &piece), nested(2, &trainer), nested(3, &[0x18, 0, 0x20, 0])].concat();
        let model = Model::parse(&bytes).expect("a model");
        assert_eq!(model.pieces, [Piece { text: "ab".to_owned(), score: -2.0, kind: Kind::Byte }]);
        assert!(model.is_bpe && !model.adds_prefix && !model.normalizes);
        assert_eq!(model.bos(), None);
        let bare = Model::parse(&nested(1, &nested(1, b"<s>"))).expect("a model");
        assert!(!bare.is_bpe && bare.adds_prefix && bare.normalizes);
        assert_eq!(Model::parse(&bytes[..bytes.len() - 1]), None);
    }
}
