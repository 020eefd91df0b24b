//! A hub of one repository on this machine: the answers that the real one gives to the same requests.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The commit of all files.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Answers until the test ends.
pub struct Server {
    pub endpoint: String,
    /// Request lines, each with the bearer token that came along.
    pub requests: Arc<Mutex<Vec<String>>>,
}

struct Site {
    endpoint: String,
    repository: String,
    files: BTreeMap<String, Vec<u8>>,
    /// Requests without it are refused.
    token: Option<String>,
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Server {
    pub fn start(repository: &str, files: &[(&str, Vec<u8>)], token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let site = Site {
            endpoint: endpoint.clone(),
            repository: repository.to_owned(),
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect(),
            token: token.map(str::to_owned),
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away early is its own affair.
                let _ = site.answer(stream, &log);
            }
        });
        Self { endpoint, requests }
    }

    /// Requests for bytes of files so far.
    pub fn downloads(&self) -> usize {
        let requests = self.requests.lock().expect("the log");
        requests.iter().filter(|line| line.contains("/resolve/")).count()
    }
}

impl Site {
    fn answer(&self, mut stream: TcpStream, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            headers.iter().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let token =
            header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        log.lock().expect("the log").push(format!("{path} {}", token.as_deref().unwrap_or("-")));
        let range = header("range").unwrap_or_default();
        let (status, more, body) = match self.token.is_some() && token != self.token {
            true => (401, String::new(), b"{}".to_vec()),
            false => self.page(&path, &range),
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n")?;
        stream.write_all(&body)
    }

    fn page(&self, path: &str, range: &str) -> (u16, String, Vec<u8>) {
        let none = (404, String::new(), b"{}".to_vec());
        if path.split('?').next() == Some(&format!("/api/models/{}/revision/main", self.repository)) {
            return (200, "Content-Type: application/json\r\n".into(), self.listing());
        }
        let small = format!("/{}/resolve/main/", self.repository);
        let (name, large) = match (path.strip_prefix(&small), path.strip_prefix("/cdn/")) {
            (Some(name), _) => (name, false),
            (_, Some(name)) => (name, true),
            _ => return none,
        };
        let Some(bytes) = self.files.get(name) else { return none };
        let sum = sha256(bytes);
        if name.ends_with(".safetensors") && !large {
            // Large files lie elsewhere; their sum is told by the hub itself.
            let headers = format!(
                "Location: {}/cdn/{name}\r\nX-Linked-Etag: \"{sum}\"\r\nX-Repo-Commit: {COMMIT}\r\n",
                self.endpoint
            );
            return (302, headers, Vec::new());
        }
        let (first, last) =
            range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
        let first: usize = first.parse().unwrap_or(0);
        let end = last.parse().map_or(bytes.len(), |last: usize| (last + 1).min(bytes.len()));
        let headers = format!(
            "Content-Range: bytes {first}-{}/{}\r\nETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\n",
            end.saturating_sub(1),
            bytes.len(),
            &sum[..40]
        );
        (206, headers, bytes[first..end].to_vec())
    }

    fn listing(&self) -> Vec<u8> {
        let siblings: Vec<_> = self
            .files
            .iter()
            .map(|(name, bytes)| match name.ends_with(".safetensors") {
                true => json!({ "rfilename": name, "size": bytes.len(),
                    "lfs": { "sha256": sha256(bytes), "size": bytes.len() } }),
                false => json!({ "rfilename": name, "size": bytes.len() }),
            })
            .collect();
        let card = json!({ "license": "creativeml-openrail-m" });
        json!({ "id": self.repository, "sha": COMMIT, "siblings": siblings, "cardData": card })
            .to_string()
            .into_bytes()
    }
}
