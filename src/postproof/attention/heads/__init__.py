"""What the heads of pretrained models attend to: statistics of every head over sentences, and tables made of them.

To be read in this order:

    sources            a model as a function that hands over the attention weights of one layer after the other
    hooks              how weights are read from our own models while they run
    llama_model, race_model, hub_model      the three kinds of models
    row_statistics     how widely, how locally and how much on the first token each row of attention looks
    reader             runs a model over the sentences and keeps these statistics
    pretrained_runs, race_runs              commands: read one model
    results            a run put together under each protocol, and intervals over its sentences
    limits, classes                         what a head can reach, and which class it is of
    gradient, general_layers                early layers against late ones
    tabulate           command: all tables of all runs
"""
