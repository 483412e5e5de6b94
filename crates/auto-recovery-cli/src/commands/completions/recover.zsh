#compdef recover
# Completions of recover for zsh: this file as `_recover` in a directory of $fpath.
_recover() {
    local -a answers others options directories
    local answer
    answers=("${(@f)$(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) RECOVER_COMPLETE=zsh \
            command recover -- "${(@)words[1,CURRENT]}" 2>/dev/null
    )}")
    if [[ $answers[1] == $'\1'* ]]; then
        local at=${answers[1]#?}
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
    (($#directories)) && _describe -V 'directories' directories -S ''
    (($#others)) && _describe -V 'values' others
    (($#options)) && _describe -V 'options' options
}
if [[ $funcstack[1] == _recover ]]; then
    _recover "$@"
else
    compdef _recover recover
fi
