//! Samples of every kind of secret, made when a test runs: no file holds one.

#![expect(clippy::unwrap_used, reason = "this is for tests")]

use crate::testing::Random;

/// For each kind how its secrets look. `<n36>` are 36 letters and digits, `<l…>` lowercase ones,
/// `<u…>` capitals and 2 to 7, `<h…>` hexadecimal digits, `<d…>` digits, `<w…>` a word or a dash,
/// `<b…>` base 64. Where only a part is secret it stands between `«` and `»`.
pub const SAMPLES: &[(&str, &str)] = &[
    ("github-token", "ghp_<n36>"),
    ("github-app-token", "ghs_<n60>.<w200>-<w200>"),
    ("github-fine-grained-token", "github_pat_<n22>_<n59>"),
    ("gitlab-token", "glpat-<n20>"),
    ("gitlab-runner-registration-token", "GR1348941<n20>"),
    ("aws-access-key-id", "AKIA<u16>"),
    ("aws-bedrock-key", "ABSK<b110>"),
    ("aws-secret-access-key", "aws_secret_access_key = «<b40>»"),
    ("aws-session-token", "\"SessionToken\": \"«<b120>»\""),
    ("google-api-key", "AIza<n35>"),
    ("google-client-secret", "GOCSPX-<n28>"),
    ("google-access-token", "ya29.<n60>"),
    ("azure-ai-key", "<n52>JQQJ99<n26>"),
    ("azure-client-secret", "<n3><d1>Q~<n34>"),
    ("azure-account-key", "AccountName=x;AccountKey=«<b86>==»"),
    ("alibaba-access-key-id", "LTAI<n20>"),
    ("openshift-token", "sha256~<n43>"),
    ("digitalocean-token", "dop_v1_<h64>"),
    ("heroku-key", "HRKU-AA<n58>"),
    ("heroku-uuid", "HEROKU_API_KEY=«<h8>-<h4>-<h4>-<h4>-<h12>»"),
    ("fly-token", "fo1_<n43>"),
    ("cloudflare-token", "cloudflare_api_token = «<n40>»"),
    ("slack-token", "xoxb-<d12>-<n24>"),
    ("slack-app-token", "xapp-1-<n10>-<d13>-<h64>"),
    (
        "slack-webhook",
        "hooks.slack.com/services/T<n10>/B<n10>/<n24>",
    ),
    ("discord-webhook", "discord.com/api/webhooks/<d18>/<n68>"),
    ("discord-bot-token", "discord: «M<n23>.<n6>.<n27>»"),
    ("telegram-bot-token", "<d9>:AA<n33>"),
    (
        "teams-webhook",
        "webhook.office.com/webhookb2/<h32>/IncomingWebhook/<h32>",
    ),
    ("twilio-key", "twilio: «SK<h32>»"),
    ("sendgrid-key", "SG.<n22>.<n43>"),
    ("mailgun-key", "mailgun: «key-<h32>»"),
    ("brevo-key", "xkeysib-<h64>-<n16>"),
    ("mailchimp-key", "mailchimp: «<h32>-us12»"),
    ("stripe-key", "sk_live_<n24>"),
    ("stripe-webhook-secret", "whsec_<n32>"),
    ("square-token", "sq0atp-<n22>"),
    ("shopify-token", "shpat_<h32>"),
    ("shippo-token", "shippo_live_<h40>"),
    ("braintree-token", "access_token$production$<l16>$<h32>"),
    ("openai-key", "sk-<n20>T3BlbkFJ<n20>"),
    ("openai-project-key", "sk-proj-<n60>"),
    ("anthropic-key", "sk-ant-api03-<n93>AA"),
    ("openrouter-key", "sk-or-v1-<h64>"),
    ("huggingface-token", "hf_<n34>"),
    ("replicate-token", "r8_<n37>"),
    ("groq-key", "gsk_<n52>"),
    ("xai-key", "xai-<n80>"),
    ("perplexity-key", "pplx-<n48>"),
    ("npm-token", "npm_<n36>"),
    (
        "npmrc-secret",
        "//registry.example.org/:_authToken=«<n35><d1>»",
    ),
    ("pypi-token", "pypi-AgE<n120>"),
    ("rubygems-key", "rubygems_<h48>"),
    ("nuget-key", "oy2<l43>"),
    ("rust-registry-token", "cio<n32>"),
    ("docker-token", "dckr_pat_<n27>"),
    ("docker-config-auth", "{\"auth\": \"«<n40>»\"}"),
    ("jfrog-token", "AKCp<n69>"),
    ("clojars-token", "CLOJARS_<l60>"),
    ("vault-token", "hvs.<n95>"),
    ("vault-old-token", "vault: «s.<n24>»"),
    ("terraform-token", "<n14>.atlasv1.<n67>"),
    ("pulumi-token", "pul-<h40>"),
    ("doppler-token", "dp.pt.<n43>"),
    ("onepassword-token", "ops_eyJ<n260>"),
    ("onepassword-secret-key", "A3-<u6>-<u11>-<u5>-<u5>-<u5>"),
    ("databricks-token", "dapi<h32>"),
    ("dynatrace-token", "dt0c01.<u24>.<u64>"),
    ("grafana-token", "glsa_<n32>_<h8>"),
    ("grafana-cloud-token", "glc_eyJ<n120>"),
    ("newrelic-key", "NRAK-<u27>"),
    ("datadog-key", "DD_API_KEY: «<h32>»"),
    ("sentry-token", "sntrys_eyJ<n120>"),
    ("sonar-token", "squ_<h40>"),
    ("snyk-token", "snyk_token: «<h8>-<h4>-<h4>-<h4>-<h12>»"),
    ("postman-key", "PMAK-<h24>-<h34>"),
    ("linear-key", "lin_api_<n40>"),
    ("notion-token", "ntn_<n46>"),
    ("airtable-token", "pat<n14>.<h64>"),
    ("atlassian-token", "ATATT3<n180>"),
    ("supabase-token", "sbp_<h40>"),
    ("planetscale-token", "pscale_tkn_<n43>"),
    ("typeform-token", "tfp_<n59>"),
    ("prefect-key", "pnu_<n36>"),
    ("infracost-key", "ico-<n32>"),
    ("readme-key", "rdme_<l70>"),
    ("tailscale-key", "tskey-auth-<n17>-<n32>"),
    ("buildkite-token", "bkua_<l40>"),
    ("circleci-token", "CCIPAT_<n22>_<h40>"),
    ("figma-token", "figd_<n40>"),
    ("contentful-token", "CFPAT-<n43>"),
    (
        "private-key",
        "-----BEGIN RSA PRIVATE KEY-----\n<b64>\n<b64>\n<b20>==\n-----END RSA PRIVATE KEY-----",
    ),
    (
        "private-key-base64",
        "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZ<b200>",
    ),
    ("age-secret-key", "AGE-SECRET-KEY-1<u58>"),
    ("putty-private-key", "Private-Lines: 2«\n<b64>\n<b64>»"),
    ("jwt", "eyJ<n30>.eyJ<n60>.<n43>"),
    ("authorization", "Authorization: Basic «<n24>»"),
    ("bearer-token", "sent Bearer «<n29><d1>»"),
    ("secret-header", "X-Api-Key: «<n19><d1>»"),
    ("cookie", "Cookie: «session=<n24>; theme=dark»"),
    ("url-password", "https://deploy:«<n14>»@example.org/x"),
    ("url-token", "https://«<n23><d1>»@example.org/x"),
    (
        "url-parameter",
        "https://example.org/x?page=2&access_token=«<n19><d1>»&y=1",
    ),
    ("assigned-secret", "export DB_PASSWORD='«<n11><d1>»'"),
    ("quoted-secret", "\"password\": \"«<n11><d1>»\""),
    ("quoted-token", "client_secret: \"«<n11><d1>»\""),
    ("flag-secret", "deploy --password=«<n11><d1>» --now"),
    ("flag-secret-beside", "deploy --token «<n11><d1>» --now"),
    ("curl-user", "curl -s -u me:«<n11><d1>» http://localhost"),
    ("mysql-password", "mysqldump -u root -p«<n11><d1>» shop"),
    ("sshpass-password", "sshpass -p «<n11><d1>» ssh host"),
    (
        "connection-password",
        "Server=db;User Id=me;Password=«<n11><d1>»;Encrypt=yes",
    ),
    (
        "connection-password-first",
        "Password=«<n11><d1>»;Server=db",
    ),
    (
        "netrc-password",
        "machine example.org login me password «<n11><d1>»",
    ),
    ("pgpass-password", "db.example.org:5432:shop:me:«<n11><d1>»"),
];

/// A text and the secret in it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The text.
    pub text: String,
    /// The part of it that is secret.
    pub secret: String,
}

/// A sample like `template`.
pub fn sample(template: &str, random: &mut Random) -> Sample {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        let (class, after) = after.split_once('>').unwrap();
        text.push_str(before);
        let alphabet = alphabet(&class[..1]);
        let length: usize = class[1..].parse().unwrap();
        let letters: Vec<u8> = (0..length).map(|_| random.one_of(alphabet)).collect();
        text.push_str(std::str::from_utf8(&letters).unwrap());
        rest = after;
    }
    text.push_str(rest);
    match text.split_once('«') {
        None => Sample {
            secret: text.clone(),
            text,
        },
        Some((before, after)) => {
            let (secret, after) = after.split_once('»').unwrap();
            Sample {
                text: format!("{before}{secret}{after}"),
                secret: secret.to_owned(),
            }
        }
    }
}

fn alphabet(class: &str) -> &'static [u8] {
    const ALL: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
    match class {
        "d" => &ALL[1..10],
        "h" => &ALL[..16],
        "l" => &ALL[..36],
        "n" => &ALL[..62],
        "w" => b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-",
        "b" => ALL,
        "u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        _ => panic!("no alphabet {class}"),
    }
}
