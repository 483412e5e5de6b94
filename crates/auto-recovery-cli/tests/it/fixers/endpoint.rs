//! A stand-in for a model's endpoint: speaks the same protocol on a port of its own, gives the
//! answers it was made with, and keeps what it was asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

/// The stand-in. Dropping it ends it.
pub(super) struct Endpoint {
    /// Its address, to be asked for completions.
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Question>>>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The request's first line.
    pub(super) line: String,
    /// Its headers, in lower case up to the colon.
    pub(super) headers: Vec<(String, String)>,
    /// Its body.
    pub(super) body: Value,
}

/// What it answers.
pub(super) enum Answer {
    /// A model's message.
    Says(String),
    /// A status and a body, whatever they may be.
    Http(&'static str, &'static str),
}

impl Endpoint {
    /// An endpoint that gives these answers in turn, and the last of them for ever.
    pub(super) fn answering(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let (asked, stop) = (
            Arc::<Mutex<Vec<_>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let (asked_there, stop_there) = (Arc::clone(&asked), Arc::clone(&stop));
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop_there.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.expect("a connection");
                let question = read_question(&stream).expect("a whole request");
                let mut asked = asked_there.lock().expect("the stand-in serves");
                let turn = asked.len().min(answers.len() - 1);
                asked.push(question);
                drop(asked);
                write_answer(&stream, &answers[turn]).expect("somebody who listens");
            }
        });
        Self {
            url: format!("http://{address}/v1/chat/completions"),
            asked,
            stop,
            server: Some(server),
        }
    }

    /// What it was asked so far.
    pub(super) fn asked(&self) -> Vec<Question> {
        self.asked.lock().expect("the stand-in serves").clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let address = self.url.split('/').nth(2).expect("an address of ours");
        // Wakes it; if it is gone already, nobody has to be woken.
        let woken = TcpStream::connect(address).is_ok();
        let ended = self.server.take().expect("it was started").join();
        assert!(ended.is_ok() && woken || std::thread::panicking());
    }
}

impl Question {
    /// The header of that name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(own, _)| own == name)?;
        Some(value)
    }
}

fn read_question(stream: &TcpStream) -> io::Result<Question> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut question = Question {
        line: line.trim_end().to_owned(),
        headers,
        body: Value::Null,
    };
    let length = question.header("content-length").expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body)?;
    question.body = serde_json::from_slice(&body)?;
    Ok(question)
}

fn write_answer(mut stream: &TcpStream, answer: &Answer) -> io::Result<()> {
    let (status, body) = match answer {
        Answer::Says(text) => ("200 OK", completion(text)),
        Answer::Http(status, body) => (*status, (*body).to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn completion(text: &str) -> String {
    let message = json!({"role": "assistant", "content": text});
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stand-in",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
    .to_string()
}
