def second(:
    pass
