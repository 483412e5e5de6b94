//! Messages that somebody has sent again.

use std::time::Duration;

use auto_recovery::ErrorKind;

use super::{
    BROKEN, Bench, Check, ESCALATED, GONE, HOUR, LATER, Receiver, TAKEN, alerting, deliveries,
    owned,
};
use crate::alerts::again::send_again;

impl Bench {
    /// Has the newest message with the state `state` sent again; `None` if that was refused.
    fn again(&self, state: &str) -> Option<()> {
        let feed = &self.following.feed;
        let all = feed.read(deliveries).unwrap();
        let found = all.iter().find(|one| one.state == state).unwrap();
        let now = self.following.host.now();
        let sent =
            feed.write(|connection| send_again(connection, (&feed.id, &found.id), "ada", now));
        match sent.unwrap() {
            Ok(()) => Some(()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                None
            }
        }
    }
}

#[test]
fn what_is_dead_is_sent_again_with_its_id_and_then_its_end_is_told() {
    let bad = Receiver::answering(&[BROKEN]);
    let mut bench = Bench::new(alerting(Check::Escalated, &[("bad", &bad)]));
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    for _ in 0..80 {
        bench.send("bad");
        bench.pass(HOUR);
    }
    let dead = owned(&[("firing", "dead"), ("resolved", "dropped")]);
    assert_eq!(bench.states("bad"), dead);
    assert_eq!(bench.again("dropped"), None, "it was never to be sent");
    // It is not taken this time either, and is dead again.
    assert_eq!(bench.again("dead"), Some(()));
    assert_eq!(bench.send("bad"), 1);
    assert_eq!(bench.states("bad")[0].1, "dead");
    bad.now_answers(TAKEN);
    assert_eq!(bench.again("dead"), Some(()));
    assert_eq!(bench.send("bad"), 2);
    let sent = owned(&[("firing", "sent"), ("resolved", "sent")]);
    assert_eq!(bench.states("bad"), sent);
    let told = bad.told();
    let [.., before, begun, ended] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (&before.id, &*begun.kind, &*ended.kind),
        (&begun.id, "alert.firing", "alert.resolved")
    );
    assert_eq!(bench.again("sent"), None, "it was taken");
}

#[test]
fn what_waits_goes_at_once_and_a_destination_that_was_gone_is_tried_again() {
    let late = Receiver::answering(&[LATER, TAKEN]);
    let mut bench = Bench::new(alerting(Check::Escalated, &[("ops", &late)]));
    bench.history.session(("shop", "h"), "refused", ESCALATED);
    bench.decide();
    assert_eq!((bench.send("ops"), bench.send("ops")), (1, 0));
    assert_eq!(bench.again("pending"), Some(()));
    assert_eq!(bench.send("ops"), 1);
    late.now_answers(GONE);
    bench.history.session(("till", "h"), "refused", ESCALATED);
    bench.decide();
    bench.send("ops");
    bench.pass(Duration::from_secs(60));
    late.now_answers(TAKEN);
    assert_eq!(bench.send("ops"), 0, "it is disabled");
    assert_eq!(bench.again("dead"), Some(()));
    assert_eq!(bench.send("ops"), 1);
    assert_eq!(
        bench.states("ops"),
        owned(&[("firing", "sent"), ("firing", "sent")])
    );
}
