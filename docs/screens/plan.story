$ recover plan --retry 2 --fix ./mend.sh cargo test
