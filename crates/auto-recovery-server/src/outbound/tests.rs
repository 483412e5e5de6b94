//! What is sent arrives as it was; what comes back decides, however badly it comes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use super::*;

/// Answers one connection by `respond`, after the request was read; returns its URL and the
/// request.
fn receiver(
    respond: impl FnOnce(TcpStream) + Send + 'static,
) -> (OutboundUrl, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/secret", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        respond(reader.into_inner());
        (head, String::from_utf8(body).unwrap())
    });
    (OutboundUrl::parse(&url).unwrap(), thread)
}

fn answering(text: &'static str) -> (OutboundUrl, JoinHandle<(String, String)>) {
    receiver(move |mut stream| stream.write_all(text.as_bytes()).unwrap())
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

#[test]
fn what_is_sent_arrives_as_it_was() {
    let (url, receiver) = answering("HTTP/1.1 204 No Content\r\n\r\n");
    let outbound = Outbound::new(None).unwrap();
    let headers = [
        ("webhook-id", "msg_1"),
        ("content-type", "application/json"),
    ];
    let answer = outbound.post(&url, &headers, b"{\"a\":1}", now()).unwrap();
    assert!(answer.is_taken());
    let (head, body) = receiver.join().unwrap();
    assert!(head.starts_with("POST /hook/secret HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("webhook-id: msg_1\r\n"), "{head}");
    assert_eq!(body, "{\"a\":1}");
}

#[test]
fn a_redirect_is_not_followed_and_a_refusal_is_an_answer() {
    let outbound = Outbound::new(None).unwrap();
    let redirect = "HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:1/\r\n\
                    Content-Length: 0\r\n\r\n";
    for (text, status) in [
        (redirect, 307),
        ("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 410),
        ("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500),
    ] {
        let (url, receiver) = answering(text);
        let answer = outbound.post(&url, &[], b"x", now()).unwrap();
        assert_eq!((answer.status, answer.is_taken()), (status, false));
        receiver.join().unwrap();
    }
}

#[test]
fn a_receiver_says_when_to_come_again() {
    for (value, expected) in [
        ("120", Some(120)),
        ("Sun, 06 Nov 1994 08:59:37 GMT", Some(10 * 60 + 40 - 40)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
        ("99999999999", Some(24 * 60 * 60)),
        ("soon", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        let wait = retry_after(&headers, now());
        assert_eq!(wait.map(|wait| wait.as_secs()), expected, "{value}");
    }
}

#[test]
fn a_connection_that_ends_half_way_is_no_answer_and_half_a_body_is_one() {
    let outbound = Outbound::new(None).unwrap();
    let (url, receiver) = answering("HTTP/1.1 20");
    let error = outbound.post(&url, &[], b"x", now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(!error.chain().contains("secret"), "{}", error.chain());
    receiver.join().unwrap();
    let (url, receiver) = answering("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nha");
    let answer = outbound.post(&url, &[], b"x", now()).unwrap();
    assert!(answer.is_taken());
    receiver.join().unwrap();
}

#[test]
fn no_more_of_an_answer_is_read_than_says_what_is_wrong() {
    let (url, receiver) = receiver(|mut stream| {
        let head = b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n";
        stream.write_all(head).unwrap();
        // It is not read to its end, so this fails at some point.
        let _cut = stream.write_all(&vec![b'x'; 4 * 1024 * 1024]);
    });
    let outbound = Outbound::new(None).unwrap();
    let answer = outbound.get(&url, now()).unwrap();
    assert_eq!(answer.body.len() as u64, ANSWER_BYTES_MAX);
    receiver.join().unwrap();
}

#[test]
fn an_address_is_shown_without_what_may_be_secret() {
    for (text, shown) in [
        (
            "https://h.example/services/T0/B0/XYZ",
            "https://h.example/…",
        ),
        ("https://u:pw@h.example:8/", "https://h.example:8"),
        ("http://[::1]:80?token=XYZ", "http://[::1]:80/…"),
    ] {
        let url = OutboundUrl::parse(text).unwrap();
        assert_eq!(url.to_string(), shown);
        assert!(!format!("{url:?}").contains("XYZ"));
    }
    let wrong = [
        "",
        "/zzz",
        "ftp://zzz/",
        "https:///zzz",
        "mailto:zzz",
        "http://z zzz/",
    ];
    for text in wrong {
        let refused = OutboundUrl::parse(text).unwrap_err();
        assert!(!refused.contains("zzz"), "{refused}");
    }
}
