//! What the public calls cannot reach in reasonable time: forgetting the order of cut bytes.

use proptest::prelude::*;

use super::*;

fn flat(capture: &Capture) -> Vec<(Stream, u8)> {
    let pieces = capture.pieces().into_iter();
    let bytes = pieces.filter_map(|piece| match piece {
        Piece::Bytes(stream, bytes) => Some(bytes.iter().map(move |&byte| (stream, byte))),
        Piece::Cut(..) => None,
    });
    bytes.flatten().collect()
}

proptest! {
    #[test]
    fn forgetting_changes_nothing_that_is_kept(
        head in 0_usize..20,
        tail in 0_usize..20,
        pieces in prop::collection::vec((any::<bool>(), 1_usize..12, any::<bool>()), 0..60),
    ) {
        let mut plain = Capture::new(head, tail);
        let mut forgetful = Capture::new(head, tail);
        for (number, &(is_err, count, forget)) in pieces.iter().enumerate() {
            let stream = Stream::of_index(usize::from(is_err));
            let bytes = vec![number as u8; count];
            plain.push(stream, &bytes);
            forgetful.push(stream, &bytes);
            if forget {
                forgetful.order.forget_cut(&forgetful.kept);
            }
            prop_assert_eq!(flat(&plain), flat(&forgetful));
            prop_assert_eq!(plain.interleaved(), forgetful.interleaved());
        }
    }
}

#[test]
fn the_order_is_bounded_as_the_bytes_are() {
    let mut capture = Capture::new(10, 10);
    for _ in 0..2 * RUNS_BEFORE_FORGETTING {
        capture.push(Stream::Stdout, b"o");
        capture.push(Stream::Stderr, b"e");
    }
    assert!(capture.order.runs.len() <= RUNS_BEFORE_FORGETTING);
    assert_eq!(flat(&capture).len(), 40);
    assert!(
        capture
            .interleaved()
            .ends_with(b"here]\neoeoeoeoeoeoeoeoeoe")
    );
}
