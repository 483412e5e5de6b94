# Completions of recover for bash: `source <(recover completions bash)`.
_recover() {
    local IFS=$'\n' at word last=
    # Bash takes `--name=value` for three words.
    local -a words=() starts=()
    for ((at = 0; at <= COMP_CWORD; at++)); do
        word=${COMP_WORDS[at]}
        if [[ $at == "$COMP_CWORD" && $word != = ]]; then
            word=$2
        fi
        if [[ $last == --* && $word == = || $last == --*= ]]; then
            last+=$word
            words[-1]=$last
        else
            last=$word
            words+=("$word")
            starts+=("$at")
        fi
    done
    mapfile -t COMPREPLY < <(
        _CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) RECOVER_COMPLETE=bash \
            command recover -- "${words[@]}" 2>/dev/null
    )
    if [[ $last == --*=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${last%%=*}="}")
    fi
    case ${COMPREPLY[0]-} in
    $'\1'*)
        at=${starts[${COMPREPLY[0]#?}]}
        COMPREPLY=()
        IFS=$' \t\n'
        if declare -F _command_offset >/dev/null; then
            _command_offset "$at"
        elif ((COMP_CWORD == at)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$2")
        else
            compopt -o default 2>/dev/null
        fi
        ;;
    *)
        [[ ${COMPREPLY[0]-} != *[=/:] ]] || compopt -o nospace 2>/dev/null
        # What is inserted is one word, and nothing that the shell would run.
        for at in "${!COMPREPLY[@]}"; do
            printf -v COMPREPLY[at] %q "${COMPREPLY[at]}"
        done
        ;;
    esac
}
complete -o bashdefault -F _recover recover
