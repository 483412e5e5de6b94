#compdef recover
# Completions of recover for zsh: this file as `_recover` in a directory of $fpath.
_recover() {
    local -a answers others options directories
    local answer at
    answers=("${(@f)$(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) RECOVER_COMPLETE=zsh \
            command recover -- "${(@)words[1,CURRENT]}" 2>/dev/null
    )}")
    if [[ $answers[1] == $'\1'* ]]; then
        at=${answers[1]#?}
        shift $at words
        ((CURRENT -= at))
        _normal -p recover
        return
    fi
    for answer in $answers; do
        if [[ ${answer%%:*} == */ && -d ${answer%%:*} ]]; then
            directories+=("$answer")
        elif [[ $answer == -* ]]; then
            options+=("$answer")
        else
            others+=("$answer")
        fi
    done
    # Without one of them the others are offered all the same.
    at=1
    (($#directories)) && _describe -V 'directories' directories -S '' && at=0
    (($#others)) && _describe -V 'values' others && at=0
    (($#options)) && _describe -V 'options' options && at=0
    return $at
}
if [[ $funcstack[1] == _recover ]]; then
    _recover "$@"
else
    compdef _recover recover
fi
