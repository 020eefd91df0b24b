//! Words and their parts as places in a table: a bag of hashed words and character n-grams (Bojanowski et al., "Enriching word vectors
//! with subword information", 2017), for want of a text encoder.

/// Characters that are read of a text; titles are far shorter.
const MOST: usize = 1024;
/// Lengths of the n-grams, in characters, the marks at a word's ends included.
const GRAMS: std::ops::RangeInclusive<usize> = 3..=5;

/// The places of a text among `buckets`; none for a text without a letter or digit.
pub fn places(text: &str, buckets: u32) -> Vec<u32> {
    let lower: String = text.chars().take(MOST).flat_map(char::to_lowercase).collect();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut places = Vec::new();
    for word in words {
        let marked: Vec<char> = std::iter::once('<').chain(word.chars()).chain(['>']).collect();
        places.push(place(&marked, buckets));
        for length in GRAMS.filter(|length| *length < marked.len()) {
            places.extend(marked.windows(length).map(|gram| place(gram, buckets)));
        }
    }
    places
}

/// FNV-1a, 64 bits, over UTF-8.
fn place(gram: &[char], buckets: u32) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for letter in gram {
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    ((hash >> 32) % u64::from(buckets)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_parts_are_counted() {
        // <bag>: the word, three of 3, two of 4.
        assert_eq!(places("bag", 4096).len(), 6);
        assert_eq!(places("Bag!", 4096), places("bag", 4096));
        assert_eq!(places("", 4096), Vec::<u32>::new());
        assert_eq!(places(" -- ", 4096), Vec::<u32>::new());
        assert!(places("Schön 包 🎒", 7).iter().all(|place| *place < 7));
    }

    #[test]
    fn kindred_words_share_places_and_others_do_not() {
        let shared = |a: &str, b: &str| {
            let b = places(b, 1 << 20);
            places(a, 1 << 20).iter().filter(|place| b.contains(place)).count()
        };
        assert!(shared("handbag", "handbags") > 8);
        assert_eq!(shared("handbag", "lamp"), 0);
    }

    #[test]
    fn a_book_for_a_title_is_read_in_part() {
        assert!(places(&"word ".repeat(1_000_000), 4096).len() < 4 * MOST);
    }
}
