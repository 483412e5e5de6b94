//! The specification's tests of the entry: its fields, its dictionary, its JSON.

use auto_recovery::{ErrorKind, RecoveryAuditEntry};
use serde_json::{Value, json};

use crate::audit_support::entry;

#[test]
fn an_entry_has_the_fourteen_fields_in_order() {
    let map = entry("s", 1).to_dict();
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    assert_eq!(keys, RecoveryAuditEntry::FIELDS);
    assert_eq!(keys.len(), 14);
}

#[test]
fn an_entry_becomes_a_dictionary_and_back() {
    let one = entry("s", 1);
    let mut map = one.to_dict();
    assert_eq!(map["attempt_number"], json!(1));
    assert_eq!(map["files_modified"], json!(["src/file1.rs"]));
    assert_eq!(map["rollback_performed"], json!(true));
    assert_eq!(RecoveryAuditEntry::from_dict(map.clone()).unwrap(), one);
    map.remove("strategy");
    let error = RecoveryAuditEntry::from_dict(map).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.chain().contains("strategy"), "{}", error.chain());
}

#[test]
fn an_entry_becomes_one_line_of_json_and_back() {
    let one = entry("s", 1);
    let text = one.to_json();
    assert!(!text.contains('\n'));
    assert_eq!(RecoveryAuditEntry::from_json(&text).unwrap(), one);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, Value::Object(one.to_dict()));
    let pretty = serde_json::to_string_pretty(&one).unwrap();
    assert_eq!(RecoveryAuditEntry::from_json(&pretty).unwrap(), one);
    assert!(RecoveryAuditEntry::from_json("{}").is_err());
}
