//! Connection settings for display, without anything that is or may be a password.

use super::connection_string::pairs;
use super::params::is_known;

/// The settings of a URL, or of `keyword=value` pairs, for display: passwords are replaced by
/// `***`.
///
/// A text that cannot be parsed, or has a keyword that libpq does not know, is not shown at all,
/// since any part of it may be the password. So is a value that is not what its keyword takes.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::without_password;
///
/// let shown = without_password("postgresql://shop:secret@db/events");
/// assert_eq!(shown, "user=shop password=*** host=db dbname=events");
///
/// let misspelt = without_password("postgresql://db/events?pasword=secret");
/// assert_eq!(misspelt, "*** (it has an option that libpq does not know)");
/// ```
pub fn without_password(text: &str) -> String {
    let Ok(pairs) = pairs(text) else {
        return "*** (it cannot be read)".to_owned();
    };
    if !pairs.iter().all(|(keyword, _)| is_known(keyword)) {
        return "*** (it has an option that libpq does not know)".to_owned();
    }
    let shown = pairs
        .into_iter()
        .map(|(keyword, value)| match may_be_shown(&keyword, &value) {
            true => format!("{keyword}={value}"),
            false => format!("{keyword}=***"),
        });
    shown.collect::<Vec<_>>().join(" ")
}

/// Whether the value is no password, and has none in it.
fn may_be_shown(keyword: &str, value: &str) -> bool {
    // Such as a URL in a URL, or a setting of a password in `options`.
    let has_secret = || {
        let value = value.to_ascii_lowercase();
        ["://", "passw", "pwd", "secret", "token"]
            .iter()
            .any(|part| value.contains(part))
    };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = |value: &str| value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    match keyword {
        "password" | "sslpassword" => false,
        // Behind the colon of a URL without a user stands the password, if the user was left out by mistake.
        "port" => value.split(',').all(is_number),
        "connect_timeout" | "tcp_user_timeout" => is_number(value),
        "keepalives" | "keepalives_count" | "keepalives_idle" | "keepalives_interval" | "keepalives_retries" => {
            is_number(value)
        }
        "channel_binding" | "gssencmode" | "load_balance_hosts" | "sslmode" | "sslnegotiation" => is_word(value),
        "target_session_attrs" => is_word(value),
        _ => !has_secret(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown_however_it_is_written() {
        for text in [
            "postgresql://u:Canary@h/d",
            "postgresql://u@h/d?password=Canary",
            "postgresql://u@h/d?sslpassword=Canary",
            // Not what libpq calls it.
            "postgresql://h/d?pasword=Canary",
            "postgresql://h/d?PASSWORD=Canary",
            "postgresql://h/d?user=u&pass=Canary&sslmode=disable",
            "PASSWORD=Canary host=h",
            "Password = 'Canary' host=h",
            "host=h pwd=Canary",
            "host=h passphrase=Canary user=u",
            // Not a URL of libpq.
            "jdbc:postgresql://h/d?user=u&password=Canary",
            "jdbc:postgresql://u:Canary@h/d?user=u",
            "POSTGRESQL://u:Canary@h/d",
            "postgresql+psycopg2://u:Canary@h/d?a=b",
            "postgis://u:Canary@h/d?a=b",
            "postgres:u:Canary@h/d",
            // In the wrong place.
            "postgresql://u:Canary/d",
            "postgresql://u:Canary",
            "postgresql://h:5432,g:Canary/d",
            "postgresql://u:x@h/d?password=x&Canary=1",
            "host=h password=x Canary=1",
            "host=h dbname=postgresql://u:Canary@h/d",
            "host=h dbname='host=h password=Canary'",
            "host=h options='-c my.secret=Canary'",
            "host=h sslmode=Canary",
            "host=h connect_timeout=Canary",
        ] {
            let shown = without_password(text);
            assert!(!shown.contains("anary"), "{text}: {shown}");
            assert!(shown.contains("***"), "{text}: {shown}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for (text, shown) in [
            (
                "postgresql://u@a,b:2/d?sslmode=verify-full&connect_timeout=5",
                "user=u host=a,b port=,2 dbname=d sslmode=verify-full connect_timeout=5",
            ),
            (
                "host=h user=a@b passfile=/home/u/.pgpass options='-c statement_timeout=5s'",
                "host=h user=a@b passfile=/home/u/.pgpass options=-c statement_timeout=5s",
            ),
            (
                "host=h sslkey=/k.pem require_auth=scram-sha-256",
                "host=h sslkey=/k.pem require_auth=scram-sha-256",
            ),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
