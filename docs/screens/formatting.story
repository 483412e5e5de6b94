printf '[package]\nname = "price"\nversion = "0.1.0"\nedition = "2021"\n\n[workspace]\n' > Cargo.toml
mkdir src && printf 'pub fn price(pieces:u64)->u64{pieces*100}\n' > src/lib.rs
$ recover run cargo fmt --check
