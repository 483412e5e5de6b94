awk 'BEGIN {
    for (day = 3; day <= 5; day++) for (n = 0; n < 40; n++) {
        cured = (day == 3) ? n % 4 != 0 : n % 4 == 0
        printf "{\"session_id\":\"day-%d-%d\",\"strategy\":\"fix\",\"success\":%s,", day, n / 4, cured ? "true" : "false"
        printf "\"error_type\":\"E0308\",\"timestamp\":\"2026-01-0%dT10:%02d:00Z\",\"duration_seconds\":2}\n", day, n
    }
}' | recover log > /dev/null
$ recover stats --all --by day
