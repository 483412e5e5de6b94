if true; then
    echo built
