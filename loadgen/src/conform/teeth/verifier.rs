//! A small verifier over HTTP whose one flaw is chosen: what a case does not catch here it would catch nowhere.
//!
//! Textbook RSA, so that it takes keys which no library would. Without a flaw it is strict.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json as object};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::fetch::{self, Got};
use super::flaw::Flaw;
use super::front::{self, Credential, Request};
use super::reading::{first_sub, inherited, json, json_in_any_encoding, read_again};
use super::rsa_key::{begins_signed_by, is_huge, number, signed_by, usable};
use super::{algorithm, cognito, decrypt, own_key};
use crate::clock::unix_now;
use crate::conform::Processes;

/// Least time between two fetches for keys that are not there.
const COOLDOWN: Duration = Duration::from_secs(1);

/// Least time between two fetches while there is no key at all: forty tokens are refused within ten of them on a busy machine.
const BACK_OFF: Duration = Duration::from_secs(1);

/// For how long keys are fresh; `[keys] lifetime` of this target. A hundred tokens are verified within three of them on a busy
/// machine.
pub(super) const KEY_LIFETIME: Duration = Duration::from_secs(5);

/// What one signature of a key of 16,384 bits costs, measured.
const HUGE_COST: Duration = Duration::from_millis(200);

/// A head that a careless server takes its time over.
const LONG_HEAD: usize = 5_000;

/// What it takes then; longer than any case allows, shorter than the test's patience with an answer.
const SLOW: Duration = Duration::from_millis(3_500);

/// What a short token becomes, in bytes.
const INFLATED: u64 = 200_000_000;

/// Whose tokens it takes.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) issuer: String,
    pub(super) jwks_uri: String,
    pub(super) other_issuer: String,
    pub(super) other_jwks_uri: String,
    pub(super) audience: String,
    /// What it compares in place of the audience, where the issuer sends none.
    pub(super) client: Option<String>,
    /// All that it requires, with blanks between them.
    pub(super) scope: String,
}

pub(super) struct Verifier {
    flaw: Flaw,
    trust: Trust,
    keys: Mutex<Keys>,
    decisions: Mutex<HashMap<String, u16>>,
    principals: Mutex<HashMap<String, Value>>,
    first_paths: Mutex<HashMap<String, String>>,
    core: Mutex<()>,
    ended: Arc<AtomicU64>,
    /// What it says that it has taken: the test's process is not the verifier's alone.
    peak_memory: Arc<AtomicU64>,
}

/// Where a verifier listens, and how often it has died.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) address: SocketAddr,
    ended: Arc<AtomicU64>,
    peak_memory: Arc<AtomicU64>,
}

impl Processes for Served {
    fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    fn ids(&self) -> Vec<u32> {
        vec![0]
    }

    fn peak_memory_bytes(&self, _process: u32) -> Option<u64> {
        Some(self.peak_memory.load(Ordering::Relaxed))
    }

    /// It says what it has taken in all.
    fn forget_peak(&self, _process: u32) {}
}

#[derive(Default)]
struct Keys {
    set: Option<Vec<Value>>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Verifier {
    pub(super) fn new(flaw: Flaw, trust: Trust) -> Self {
        Self {
            flaw,
            trust,
            keys: Mutex::default(),
            decisions: Mutex::default(),
            principals: Mutex::default(),
            first_paths: Mutex::default(),
            core: Mutex::default(),
            ended: Arc::default(),
            peak_memory: Arc::default(),
        }
    }

    /// Serves on a free port until the test's runtime ends.
    pub(super) async fn serve(flaw: Flaw, trust: Trust) -> Served {
        let verifier = Arc::new(Self::new(flaw, trust));
        let ended = Arc::clone(&verifier.ended);
        let peak_memory = Arc::clone(&verifier.peak_memory);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&verifier).hold(stream));
            }
        });
        Served {
            address,
            ended,
            peak_memory,
        }
    }

    async fn hold(self: Arc<Self>, mut stream: TcpStream) {
        let mut kept = Vec::new();
        while let Some(request) = Request::read(self.flaw, &mut stream, &mut kept).await {
            let dies = match self.flaw {
                Flaw::DiesOfDepth => request.is_deep(),
                Flaw::DiesOfOddBytes => request.is_odd(),
                _ => false,
            };
            if dies {
                self.ended.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let credential = request.credential(self.flaw);
            let status = self.answer_to(&request, &credential).await;
            let body = match &credential {
                Credential::Tokens(tokens) if status == 200 => self.named(tokens).await,
                _ => String::new(),
            };
            let answer = request.answered(self.flaw, status, &credential, body);
            if !front::write(&mut stream, &answer).await {
                return;
            }
            if self.flaw == Flaw::RestartsUnseen && status != 200 {
                self.ended.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn answer_to(&self, request: &Request, credential: &Credential) -> u16 {
        match self.flaw {
            Flaw::GuardsOneRequestLine if request.line != "GET /planets HTTP/1.1" => {
                // Whatever spells it otherwise.
                let meant = request.line.to_ascii_lowercase().contains("lanets");
                return if meant { 200 } else { 404 };
            }
            Flaw::StartPageForAll if !request.line.starts_with("GET /planets HTTP") => return 200,
            Flaw::TrustsHeaders if request.claims_trust() => return 200,
            Flaw::SlowOnLongHeads if request.head_length > LONG_HEAD => {
                tokio::time::sleep(SLOW).await;
            }
            _ => {}
        }
        match credential {
            Credential::Empty | Credential::None => match self.flaw {
                Flaw::NoTokenNoCheck => 200,
                _ => 401,
            },
            Credential::Refused(status) => *status,
            Credential::Tokens(tokens) => {
                let mut status = 401;
                for token in tokens {
                    let told = token.split('.').next().and_then(json).unwrap_or_default();
                    if self.flaw == Flaw::WorksAsTold
                        && (told["p2c"].is_u64() || told["zip"] == "DEF")
                    {
                        tokio::time::sleep(SLOW).await;
                    }
                    if self.flaw == Flaw::InflatesAsTold && told["zip"] == "DEF" {
                        self.peak_memory.fetch_add(INFLATED, Ordering::Relaxed);
                    }
                    status = self.decide(request, token).await;
                    if status == 200 {
                        break;
                    }
                }
                status
            }
        }
    }

    /// Who an allowed answer says that the caller is.
    async fn principal(&self, token: &str) -> Value {
        let mut parts = token.split('.');
        let header = parts.next().unwrap_or_default().to_owned();
        let payload = parts.next().unwrap_or_default();
        let sub = json(payload).unwrap_or_default()["sub"].clone();
        if self.flaw == Flaw::FirstOfTwo {
            return first_sub(payload).unwrap_or(sub);
        }
        if self.flaw != Flaw::PrincipalByHeader {
            return sub;
        }
        let mut known = self.principals.lock().await;
        known.entry(header).or_insert(sub).clone()
    }

    /// The body of an allowed answer.
    async fn named(&self, tokens: &[String]) -> String {
        match tokens.last() {
            Some(token) => object!({"principal": self.principal(token).await}).to_string(),
            None => String::new(),
        }
    }

    /// A decision on a request: the token's, and then what its scope is for.
    async fn decide(&self, request: &Request, token: &str) -> u16 {
        let status = self.decide_on(token).await;
        if status != 200 {
            return status;
        }
        let (method, path) = request.method_and_path();
        if self.flaw == Flaw::OnePathAlone {
            let mut first = self.first_paths.lock().await;
            let first = first.entry(token.to_owned());
            if *first.or_insert_with(|| path.to_owned()) != path {
                return 403;
            }
        }
        match method {
            "GET" => 200,
            _ if matches!(self.flaw, Flaw::AnyMethod | Flaw::TokenFromAnywhere) => 200,
            _ => 403,
        }
    }

    async fn decide_on(&self, token: &str) -> u16 {
        let remembered = self.remembered_as(token);
        if let Some(name) = &remembered
            && let Some(status) = self.decisions.lock().await.get(name)
        {
            return *status;
        }
        let status = match self.verify(token).await {
            Ok(()) => 200,
            Err(status) => status,
        };
        let kept = match self.flaw {
            Flaw::LastDecision => true,
            Flaw::RefusesBySigningInput | Flaw::RefusesForEver => status != 200,
            _ => status == 200,
        };
        if let Some(name) = remembered.filter(|_| kept) {
            self.decisions.lock().await.insert(name, status);
        }
        status
    }

    /// What a decision on a token is remembered by.
    fn remembered_as(&self, token: &str) -> Option<String> {
        let mut parts = token.split('.');
        let mut part = || parts.next().unwrap_or_default();
        let (header, payload, signature) = (part(), part(), part());
        Some(match self.flaw {
            Flaw::AllowsByClaims => {
                let claims = json(payload)?;
                format!("{} {}", claims["sub"], claims["jti"])
            }
            Flaw::AllowsByHeaderAndSignature => format!("{header}..{signature}"),
            Flaw::AllowsByLowerCase => token.to_ascii_lowercase(),
            Flaw::AllowsBySigningInput | Flaw::RefusesBySigningInput => {
                format!("{header}.{payload}")
            }
            Flaw::AllowsForEver | Flaw::RefusesForEver => token.to_owned(),
            Flaw::LastDecision => String::new(),
            _ => return None,
        })
    }

    /// What the token is worth; the error is the status of a refusal.
    pub(super) async fn verify(&self, token: &str) -> Result<(), u16> {
        if self.flaw == Flaw::DecryptsForAnyone
            && let Some(claims) = decrypt::claims(token)
        {
            return self.claims(&claims);
        }
        let [header_text, payload_text, signature_text] = token
            .split('.')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| 401_u16)?;
        let header = json(header_text).ok_or(401_u16)?;
        let claims = match self.flaw {
            Flaw::PutsUpWithMuch => read_again(json_in_any_encoding(payload_text)),
            _ => json(payload_text),
        };
        let claims = claims.ok_or(401_u16)?;
        if self.flaw == Flaw::FollowsUrls {
            fetch::follow(&header, &claims).await;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature_text).ok();
        let input = format!("{header_text}.{payload_text}");
        let believed = match self.flaw {
            Flaw::KeyFromToken => {
                let signature = signature.as_deref().unwrap_or_default();
                own_key::has_signed(&header, &input, signature)
            }
            Flaw::SignatureUnchecked => true,
            _ => false,
        };
        if !believed && algorithm::is_signed(self.flaw, header_text)? {
            let signature = signature.ok_or(401_u16)?;
            let candidates = self.candidates_of(&claims["iss"], &header["kid"]).await?;
            if candidates.iter().any(is_huge) {
                // One core, held as long as the arithmetic would take, without its cost for the other tests.
                let _core = self.core.lock().await;
                tokio::time::sleep(HUGE_COST).await;
                return Err(401);
            }
            let signed_by = match self.flaw {
                Flaw::LooseOnPadding => begins_signed_by,
                _ => signed_by,
            };
            if !candidates
                .iter()
                .any(|key| signed_by(key, &input, &signature))
            {
                return Err(401);
            }
        }
        self.claims(&claims)
    }

    fn claims(&self, claims: &Value) -> Result<(), u16> {
        if self.flaw == Flaw::LoginIsEnough
            && let Some(client) = &self.trust.client
            && cognito::is_login_of(client, claims)
        {
            return Ok(());
        }
        let now = unix_now();
        let ours = match (&self.trust.client, &claims["aud"]) {
            (Some(client), _) => cognito::is_for(client, claims, self.flaw),
            (None, Value::Array(all)) => all.iter().any(|one| *one == *self.trust.audience),
            (None, one) => *one == *self.trust.audience,
        };
        let time = |name: &str| claims[name].as_i64();
        let in_time =
            time("exp").is_some_and(|exp| exp > now) && time("nbf").is_none_or(|nbf| nbf <= now);
        let issued = match self.flaw {
            Flaw::IssuerUnchecked => true,
            Flaw::OneIssuerAlone => claims["iss"] == *self.trust.issuer,
            _ => claims["iss"] == *self.trust.issuer || claims["iss"] == *self.trust.other_issuer,
        };
        if !issued || !ours || !in_time {
            return Err(401);
        }
        let granted = match self.flaw {
            Flaw::InheritsClaims => inherited(claims, "scope"),
            _ => &claims["scope"],
        };
        if self.grants_enough(granted.as_str().unwrap_or_default()) {
            Ok(())
        } else {
            Err(403)
        }
    }

    fn grants_enough(&self, scope: &str) -> bool {
        let granted: Vec<&str> = scope.split(' ').collect();
        let mut required = self.trust.scope.split(' ');
        match self.flaw {
            Flaw::AnyScope => required.any(|one| granted.contains(&one)),
            Flaw::ScopesInOneOrder => {
                format!(" {scope} ").contains(&format!(" {} ", self.trust.scope))
            }
            _ => required.all(|one| granted.contains(&one)),
        }
    }

    /// The keys of its issuer that may have signed.
    async fn candidates_of(&self, issuer: &Value, kid: &Value) -> Result<Vec<Value>, u16> {
        let of_other = *issuer == *self.trust.other_issuer;
        if self.flaw != Flaw::KeysOfAnyIssuer {
            return if of_other {
                Ok(self.keys_of_the_other(kid).await)
            } else {
                self.candidates(kid).await
            };
        }
        let mut all = self.candidates(kid).await?;
        all.extend(self.keys_of_the_other(kid).await);
        Ok(all)
    }

    async fn keys_of_the_other(&self, kid: &Value) -> Vec<Value> {
        let uri = &self.trust.other_jwks_uri;
        let got = fetch::key_set(uri, Duration::from_secs(1), self.flaw, false).await;
        let set = match got {
            Some(Got::KeySet(set)) => set,
            _ => Vec::new(),
        };
        let named = |key: &Value| usable(key) && key["kid"] == *kid;
        set.into_iter().filter(named).collect()
    }

    /// The keys of the first issuer that may have signed.
    async fn candidates(&self, kid: &Value) -> Result<Vec<Value>, u16> {
        let mut keys = self.keys.lock().await;
        let fresh = |at: Option<Instant>, time| at.is_some_and(|at| at.elapsed() < time);
        let pause = match keys.set {
            None => BACK_OFF,
            Some(_) => COOLDOWN,
        };
        let stale = keys.set.is_none() || !fresh(keys.fetched, KEY_LIFETIME);
        let missing = |keys: &Keys| self.matching(keys, kid).is_empty();
        let due = match self.flaw {
            Flaw::FetchesEachTime => true,
            Flaw::NeverFetchesAgain => keys.tried.is_none(),
            _ => (stale || missing(&keys)) && !fresh(keys.tried, pause),
        };
        let failed = due && !self.renew(&mut keys).await;
        let none = keys.set.as_ref().is_none_or(Vec::is_empty);
        match self.flaw {
            Flaw::FailsOpen if failed || none => Err(200),
            Flaw::FetchesEachTime if failed => Err(503),
            _ if keys.set.is_none() => Err(503),
            _ => Ok(self.matching(&keys, kid)),
        }
    }

    /// Whether there is a new set. A failure leaves the known one in place.
    async fn renew(&self, keys: &mut Keys) -> bool {
        keys.tried = Some(Instant::now());
        let patience = match self.flaw {
            Flaw::NoDeadline => Duration::from_mins(1),
            // Long enough for a busy machine, shorter than the test waits for an answer.
            _ => Duration::from_millis(1_500),
        };
        let follow = self.flaw == Flaw::FollowsRedirects;
        let uri = &self.trust.jwks_uri;
        let Some(Got::KeySet(set)) = fetch::key_set(uri, patience, self.flaw, follow).await else {
            if self.flaw == Flaw::ForgetsOnFailure {
                keys.set = None;
            }
            return false;
        };
        if self.flaw == Flaw::SlowOnLargeSets {
            let count = u32::try_from(set.len()).expect("a set of the test");
            tokio::time::sleep(Duration::from_millis(5) * count).await;
        }
        keys.fetched = Some(Instant::now());
        keys.set = Some(set);
        true
    }

    fn matching(&self, keys: &Keys, kid: &Value) -> Vec<Value> {
        let set = keys.set.as_deref().unwrap_or_default();
        if self.flaw == Flaw::OneOddKeySpoilsAll && !set.iter().all(usable) {
            return Vec::new();
        }
        let set = match self.flaw {
            Flaw::FirstKeyAlone => &set[..set.len().min(1)],
            Flaw::LastKeyAlone => &set[set.len().saturating_sub(1)..],
            _ => set,
        };
        let extra = |key: &Value| key.as_object().is_some_and(|key| key.len() > 6);
        let found: Vec<Value> = set
            .iter()
            .filter(|key| match self.flaw {
                Flaw::AnyKindOfKey => key["n"].is_string(),
                Flaw::NeedsAlg => usable(key) && key["alg"].is_string(),
                Flaw::RefusesExtraMembers => usable(key) && !extra(key),
                Flaw::TwoKilobitsAlone => {
                    usable(key) && number(&key["n"]).is_some_and(|n| n.len() == 256)
                }
                _ => usable(key),
            })
            .filter(|key| self.flaw == Flaw::AnyKeyOfTheSet || key["kid"] == *kid)
            .cloned()
            .collect();
        // Two keys of one name are none.
        if found.len() > 1 && self.flaw != Flaw::AnyKeyOfTheSet {
            return Vec::new();
        }
        found
    }
}
