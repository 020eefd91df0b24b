use super::{Fault, load};

fn refused(bytes: &[u8]) -> String {
    match load(bytes) {
        Err(Fault::Refused(what)) => what,
        other => panic!("not refused: {other:?}"),
    }
}

fn malformed(bytes: &[u8]) -> String {
    match load(bytes) {
        Err(Fault::Malformed(reason)) => reason,
        other => panic!("not malformed: {other:?}"),
    }
}

#[test]
fn a_call_of_a_program_is_refused_by_name() {
    // What an attacker's file looks like: os.system("touch owned").
    assert_eq!(refused(b"\x80\x02cposix\nsystem\nX\x0b\0\0\0touch owned\x85R."), "a call of posix.system");
    assert_eq!(
        refused(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R."),
        "a call of builtins.eval"
    );
    assert_eq!(refused(b"\x80\x02c__main__\nThing\n)\x81."), "a call of __main__.Thing");
    assert_eq!(refused(b"\x80\x02c__main__\nThing\n}b."), "attributes of an object");
    assert_eq!(refused(b"\x80\x02(i__main__\nThing\n."), "the instruction 0x69");
    assert_eq!(refused(b"\x80\x01}."), "protocol 1");
}

#[test]
fn a_class_that_is_named_and_not_called_does_no_harm() {
    // Lightning's checkpoints use a class as the key of a dict beside the state dict.
    let pickled =
        load(b"\x80\x02}cpytorch_lightning.callbacks\nModelCheckpoint\nK\x01s.").expect("nothing is called");
    assert!(pickled.tensors.is_empty());
}

#[test]
fn broken_pickles_are_told_apart_from_hostile_ones() {
    assert_eq!(malformed(b"\x80\x02}"), "ends in the middle");
    assert_eq!(malformed(b"\x80\x02}X\xff\xff\xff\xffa."), "ends in the middle");
    assert_eq!(malformed(b"\x80\x02s."), "takes more from the stack than is on it");
    assert_eq!(malformed(b"\x80\x02h\x07."), "recalls 7, which was never remembered");
    assert_eq!(malformed(b"\x80\x02u."), "closes what it did not open");
    assert_eq!(malformed(b"\x80\x02K\x01."), "holds no dict of tensors");
}

#[test]
fn tuples_in_tuples_and_dicts_in_themselves_end() {
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend([0x85; 100_000]);
    deep.push(b'.');
    assert_eq!(malformed(&deep), "nests tuples more than 32 deep");
    // d = {}; d["a"] = d
    assert_eq!(malformed(b"\x80\x02}q\0X\x01\0\0\0ah\0s."), "nests dicts more than 16 deep");
    // Thirty-one levels that hold the level below twice: 2^31 tuples for who visits each.
    let mut wide = b"\x80\x02}K\x01)".to_vec();
    for level in 0..31 {
        wide.extend([b'q', level, b'h', level, 0x86]);
    }
    wide.extend(*b"s.");
    assert!(load(&wide).is_ok_and(|pickled| pickled.tensors.is_empty()));
}
