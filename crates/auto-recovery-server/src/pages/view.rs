//! How a reader wants pages: the zone of times, light or dark, keys.
//!
//! An address chooses each (`?tz=Asia/Kathmandu`, `?theme=dark`, `?keys=off`), and a cookie
//! remembers it. Handlers of pages never see it: what one request shows is shown in its view.

use std::future::Future;

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::feed::{SLOT_US, Slot};
use crate::http::Problem;

/// A year.
const REMEMBERED_SECONDS: u32 = 365 * 24 * 60 * 60;

/// The longest name of a zone that is looked for.
const ZONE_BYTES_MAX: usize = 64;

/// The zone of the browser, which its script names.
const LOCAL: &str = "local";

tokio::task_local! {
    static VIEW: View;
}

/// How one request is answered.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// The name of the zone, and what it means.
    pub(super) zone_name: String,
    zone: TimeZone,
    /// `light` or `dark`, if it is not as the browser has it.
    pub(super) theme: Option<&'static str>,
    pub(super) has_keys: bool,
    /// Whether the address names the zone: then links do, too.
    is_in_address: bool,
    /// The parameters of the address beside those of the view.
    pub(super) parameters: Vec<(String, String)>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            zone_name: "UTC".to_owned(),
            zone: TimeZone::UTC,
            theme: None,
            has_keys: true,
            is_in_address: false,
            parameters: Vec::new(),
        }
    }
}

/// The view of the request that is answered.
pub(super) fn view() -> View {
    VIEW.try_with(Clone::clone).unwrap_or_default()
}

/// The result of `work`, which shows pages in `view`.
pub(super) async fn within<T>(view: View, work: impl Future<Output = T>) -> T {
    VIEW.scope(view, work).await
}

/// The view of `request`, which loses its parameters, and the cookies that remember what is new.
pub(super) fn chosen(request: &mut Request) -> Result<(View, Vec<String>), Problem> {
    let mut view = View::default();
    let mut cookies = Vec::new();
    let query = request.uri().query().unwrap_or_default();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    for (name, value) in remembered(request.headers()) {
        // A choice of another release is none.
        let _ = view.choose(name, value);
    }
    for (name, value) in pairs {
        match view.choose(&name, &value) {
            None => view.parameters.push((name, value)),
            Some(false) => {
                return Err(Problem::invalid(format!(
                    "parameter `{name}` cannot be {value:?}: tz is UTC, local or a name like \
                     Europe/Berlin, theme is auto, light or dark, keys is on or off"
                )));
            }
            Some(true) => {
                view.is_in_address |= name == "tz";
                cookies.push(format!(
                    "recover-{name}={value}; Path=/; Max-Age={REMEMBERED_SECONDS}; SameSite=Strict; \
                     HttpOnly"
                ));
            }
        }
    }
    // A day begins where the reader is.
    let zone = view.zone.clone();
    for (name, value) in &mut view.parameters {
        if matches!(&**name, "since" | "until")
            && let Ok(day) = value.parse::<Date>()
            && zone != TimeZone::UTC
            && value.len() == "2026-01-31".len()
            && let Ok(begin) = day.to_zoned(zone.clone())
        {
            *value = begin.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        }
    }
    let path = request.uri().path();
    let query = view.query();
    let rest = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    if let Ok(uri) = rest.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    Ok((view, cookies))
}

/// Choices in cookies.
fn remembered(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(header::COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("recover-")?.split_once('='))
}

impl View {
    /// Takes in a choice. `None` if there is none of this name; whether it can be chosen.
    fn choose(&mut self, name: &str, value: &str) -> Option<bool> {
        match (name, value) {
            ("tz", "" | "UTC" | LOCAL) => {
                self.zone = TimeZone::UTC;
                let name = if value == LOCAL { LOCAL } else { "UTC" };
                name.clone_into(&mut self.zone_name);
            }
            ("tz", name) => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || "_+-/".contains(c);
                if name.len() > ZONE_BYTES_MAX || !name.chars().all(is_name) {
                    return Some(false);
                }
                let Ok(zone) = TimeZone::get(name) else {
                    return Some(false);
                };
                self.zone = zone;
                name.clone_into(&mut self.zone_name);
            }
            ("theme", "auto") => self.theme = None,
            ("theme", "light") => self.theme = Some("light"),
            ("theme", "dark") => self.theme = Some("dark"),
            ("keys", "on" | "off") => self.has_keys = value == "on",
            ("theme" | "keys", _) => return Some(false),
            _ => return None,
        }
        Some(true)
    }

    /// The parameters beside those of the view.
    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.parameters);
        query.finish()
    }

    /// The address `to`, with the zone if this page's address has it.
    pub(super) fn link(&self, to: &str) -> String {
        if !self.is_in_address {
            return to.to_owned();
        }
        let sign = if to.contains('?') { '&' } else { '?' };
        let zone: String = form_urlencoded::byte_serialize(self.zone_name.as_bytes()).collect();
        format!("{to}{sign}tz={zone}")
    }

    /// The moment `text`, RFC 3339, in words.
    pub(super) fn moment(&self, text: &str) -> Option<String> {
        let moment: Timestamp = text.parse().ok()?;
        if self.zone == TimeZone::UTC {
            return Some(moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
        }
        let zoned = moment.to_zoned(self.zone.clone());
        Some(zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
    }

    /// The last `count` days of the zone up to that of `now_us`, each with its sums, and the first
    /// slot that is in one of them.
    pub(super) fn days(&self, now_us: i64, count: usize) -> (Vec<(Date, Slot)>, i64) {
        let today = self.day(now_us);
        let mut days = Vec::with_capacity(count);
        for ago in (0..i64::try_from(count).unwrap_or(0)).rev() {
            let day = today.checked_sub(ago.days()).unwrap_or(today);
            days.push((day, Slot::default()));
        }
        let begin = days
            .first()
            .and_then(|(day, _)| day.to_zoned(self.zone.clone()).ok());
        let begin = begin.map_or(now_us, |begin| begin.timestamp().as_microsecond());
        (days, begin.div_euclid(SLOT_US))
    }

    /// Adds `slots` to the `days` that they are in.
    pub(super) fn add(&self, days: &mut [(Date, Slot)], slots: &[Slot]) {
        for slot in slots {
            let day = self.day(slot.slot.saturating_mul(SLOT_US));
            if let Some((_, sums)) = days.iter_mut().find(|(one, _)| *one == day) {
                sums.add(slot);
            }
        }
    }

    fn day(&self, us: i64) -> Date {
        let moment = Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH);
        moment.to_zoned(self.zone.clone()).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str, cookie: &str) -> Result<(View, Vec<String>, String), Problem> {
        let request = Request::builder()
            .uri(address)
            .header(header::COOKIE, cookie);
        let mut request = request.body(axum::body::Body::empty()).unwrap();
        let (view, cookies) = chosen(&mut request)?;
        Ok((view, cookies, request.uri().to_string()))
    }

    #[test]
    fn a_choice_is_of_the_address_then_of_the_cookie() {
        let (view, cookies, rest) =
            of("/stats?by=day&tz=Asia/Kathmandu", "recover-tz=UTC").unwrap();
        assert_eq!(
            (&*view.zone_name, &*rest),
            ("Asia/Kathmandu", "/stats?by=day")
        );
        assert_eq!(cookies.len(), 1);
        assert_eq!(view.link("/x?a=1"), "/x?a=1&tz=Asia%2FKathmandu");
        let (view, cookies, _) =
            of("/", "a=b; recover-tz=Europe/Berlin; recover-theme=dark").unwrap();
        assert_eq!(
            (&*view.zone_name, view.theme),
            ("Europe/Berlin", Some("dark"))
        );
        assert!(cookies.is_empty());
        assert_eq!(view.link("/x"), "/x");
        for bad in [
            "/?tz=Nowhere/At%20All",
            "/?tz=../../etc/passwd",
            "/?theme=x",
            "/?keys=",
        ] {
            assert!(of(bad, "").is_err(), "{bad}");
        }
        let (view, ..) = of("/", "recover-tz=Nowhere; recover-keys=off").unwrap();
        assert_eq!((&*view.zone_name, view.has_keys), ("UTC", false));
    }

    #[test]
    fn days_begin_where_the_reader_is() {
        let (view, _, rest) = of("/?since=2026-01-31&tz=Asia/Kathmandu", "").unwrap();
        assert_eq!(rest, "/?since=2026-01-31T00%3A00%3A00%2B05%3A45");
        let us = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        let now = us("2026-02-01T18:15:00Z");
        let (mut days, from) = view.days(now, 2);
        assert_eq!(days[1].0.to_string(), "2026-02-02");
        assert_eq!(from * SLOT_US, us("2026-01-31T18:15:00Z"));
        let slot = |text: &str| Slot {
            slot: us(text).div_euclid(SLOT_US),
            sessions: 1,
            ..Slot::default()
        };
        let slots = [
            "2026-01-31T18:14:59Z",
            "2026-01-31T18:15:00Z",
            "2026-02-01T18:15:00Z",
        ];
        view.add(&mut days, &slots.map(slot));
        let counts: Vec<u64> = days.iter().map(|(_, sums)| sums.sessions).collect();
        assert_eq!(counts, [1, 1]);
        let shown = view.moment("2026-01-31T18:15:00.5Z");
        assert_eq!(shown.as_deref(), Some("2026-02-01 00:00:00 +05:45"));
        assert_eq!(view.moment("yesterday"), None);
    }
}
