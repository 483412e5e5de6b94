echo 'would reformat app.py'
echo '1 file would be reformatted.'
exit 1
